/** Where in a JSON text each value stands, by the paths that the server uses: `/healthChecks(1)/portIndex`. */

export interface Span {
  start: number;
  end: number;
}

export interface Located {
  /** Spans of members (name included) and elements, by path; `/` is the whole document. */
  spans: Map<string, Span>;
  /** The first place where the text is not JSON. */
  fault: { offset: number; message: string } | null;
}

/** Deeper than any definition; a text of brackets alone does not exhaust the stack. */
const DEPTH_MAX = 200;

class NotJson extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

/** Reads as far as the text is JSON. */
export function locate(text: string): Located {
  const reader = new Reader(text);
  try {
    reader.document();
    return { spans: reader.spans, fault: null };
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    return { spans: reader.spans, fault: { offset: error.offset, message: error.message } };
  }
}

class Reader {
  readonly spans = new Map<string, Span>();
  #at = 0;

  constructor(private readonly text: string) {}

  document(): void {
    this.#space();
    const start = this.#at;
    this.#value('', 0);
    this.spans.set('/', { start, end: this.#at });
    this.#space();
    if (this.#at < this.text.length) this.#fail('Nothing may follow the document.');
  }

  #value(path: string, depth: number): void {
    if (depth > DEPTH_MAX) this.#fail('This is nested too deeply.');
    switch (this.text[this.#at]) {
      case '{':
        return this.#members(path, depth);
      case '[':
        return this.#elements(path, depth);
      case '"':
        this.#string();
        return;
      default:
        return this.#word();
    }
  }

  #members(path: string, depth: number): void {
    this.#at += 1;
    this.#space();
    if (this.#take('}')) return;
    for (;;) {
      this.#space();
      const start = this.#at;
      if (this.text[this.#at] !== '"') this.#fail('A name in double quotes belongs here.');
      const member = `${path}/${this.#string()}`;
      // Known before its value is read, so that a fault inside it has a place.
      this.spans.set(member, { start, end: this.#at });
      this.#space();
      if (!this.#take(':')) this.#fail('A colon belongs here.');
      this.#space();
      this.#value(member, depth + 1);
      this.spans.set(member, { start, end: this.#at });
      this.#space();
      if (this.#take('}')) return;
      if (!this.#take(',')) this.#fail('A comma or } belongs here.');
    }
  }

  #elements(path: string, depth: number): void {
    this.#at += 1;
    this.#space();
    if (this.#take(']')) return;
    for (let index = 0; ; index += 1) {
      this.#space();
      const start = this.#at;
      const element = path === '' ? `/(${index})` : `${path}(${index})`;
      this.spans.set(element, { start, end: start });
      this.#value(element, depth + 1);
      this.spans.set(element, { start, end: this.#at });
      this.#space();
      if (this.#take(']')) return;
      if (!this.#take(',')) this.#fail('A comma or ] belongs here.');
    }
  }

  #string(): string {
    const start = this.#at;
    const match = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    match.lastIndex = start;
    const found = match.exec(this.text);
    if (!found) this.#fail('This text in quotes does not end on its line, or holds what must be escaped.');
    this.#at = match.lastIndex;
    return JSON.parse(found[0]) as string;
  }

  #word(): void {
    const match = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    match.lastIndex = this.#at;
    if (!match.test(this.text))
      this.#fail(this.#at >= this.text.length ? 'The text ends too early.' : 'A value belongs here.');
    this.#at = match.lastIndex;
  }

  #space(): void {
    const match = /[ \t\r\n]*/y;
    match.lastIndex = this.#at;
    match.test(this.text);
    this.#at = match.lastIndex;
  }

  #take(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #fail(message: string): never {
    throw new NotJson(this.#at, message);
  }
}

/** The place of a path, or of what encloses it when it is not written in the text. */
export function placeOf(spans: ReadonlyMap<string, Span>, path: string): Span | null {
  for (let at = path; at !== '' && at !== '/'; at = parent(at)) {
    const span = spans.get(at);
    if (span) return span;
  }
  return spans.get('/') ?? null;
}

function parent(path: string): string {
  if (path.endsWith(')')) return path.slice(0, path.lastIndexOf('('));
  return path.slice(0, path.lastIndexOf('/'));
}

/** Lines are counted from 0. */
export function lineOf(text: string, offset: number): number {
  let line = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}
