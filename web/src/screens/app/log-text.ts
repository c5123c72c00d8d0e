/** What a log view holds: text in chunks, so that appending costs what is appended, and never more than a bounded amount. */
export interface Chunk {
  id: number;
  text: string;
}

const KEPT_CHARACTERS = 1_000_000;
const CHUNK_CHARACTERS = 16_384;

/** Colours and movements of terminals, which mean nothing here. */
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g;

export class LogText {
  chunks: readonly Chunk[] = [];
  #count = 0;

  clear(): void {
    this.chunks = [];
  }

  append(data: string): void {
    let text = data.replace(ESCAPES, '').replace(/\r\n?/g, '\n');
    const chunks = [...this.chunks];
    const last = chunks.at(-1);
    if (last && last.text.length + text.length <= CHUNK_CHARACTERS) {
      chunks[chunks.length - 1] = { id: last.id, text: last.text + text };
    } else {
      // A chunk is a block on the page: it ends where a line ends. What began the line moves along.
      if (last && !last.text.endsWith('\n')) {
        const seam = last.text.lastIndexOf('\n') + 1;
        text = last.text.slice(seam) + text;
        if (seam === 0) chunks.pop();
        else chunks[chunks.length - 1] = { id: last.id, text: last.text.slice(0, seam) };
      }
      chunks.push({ id: (this.#count += 1), text });
    }
    let size = chunks.reduce((sum, chunk) => sum + chunk.text.length, 0);
    while (size > KEPT_CHARACTERS && chunks.length > 1) size -= chunks.shift()?.text.length ?? 0;
    this.chunks = chunks;
  }
}
