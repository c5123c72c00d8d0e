/** JSON in pieces that are coloured. Anything may come in, also what is half written. */
export type TokenKind = 'name' | 'text' | 'number' | 'word' | 'mark' | 'plain';

export interface Token {
  kind: TokenKind;
  text: string;
}

const PIECE = /("(?:[^"\\\n]|\\.)*"?)(?=(\s*:)?)|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:])|(\s+|[^\s"{}[\],:]+)/g;

/** The tokens of each line. */
export function tokens(text: string): Token[][] {
  return text.split('\n').map((line) => [...line.matchAll(PIECE)].map(tokenOf));
}

function tokenOf(match: RegExpMatchArray): Token {
  const [text, quoted, colon, number, word, mark] = match;
  if (quoted !== undefined) return { kind: colon === undefined ? 'text' : 'name', text };
  if (number !== undefined) return { kind: 'number', text };
  if (word !== undefined) return { kind: 'word', text };
  return { kind: mark === undefined ? 'plain' : 'mark', text };
}
