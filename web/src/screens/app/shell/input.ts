/** What is typed, on its way: one request after the other, each with all that was typed while the one before it was under way. */
import type { SessionInput, TerminalSize } from '../../../api/schema';

export class Input {
  #bytes: number[] = [];
  #size: TerminalSize | null = null;
  #busy = false;

  constructor(
    private readonly send: (input: SessionInput) => Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {}

  type(bytes: Uint8Array): void {
    this.#bytes.push(...bytes);
    void this.#flush();
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    void this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#bytes.length > 0 || this.#size) {
        const input: SessionInput = {};
        if (this.#size) input.terminal = this.#size;
        if (this.#bytes.length > 0) input.data = encode(this.#bytes);
        this.#size = null;
        this.#bytes = [];
        await this.send(input);
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.#busy = false;
    }
  }
}

export function encode(bytes: Iterable<number>): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

export function decode(data: string): Uint8Array {
  return Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
}
