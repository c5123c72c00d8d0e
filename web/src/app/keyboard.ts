/** Shortcuts: who is on the page says which keys it takes, and the list of all that act now is what `?` shows. */
import { onDestroy } from 'svelte';

export interface Shortcut {
  /** As it is typed: `j`, `/`, `g a`. */
  keys: string;
  words: string;
  run: () => void;
}

const SEQUENCE_MS = 1_200;

class Keyboard {
  #layers: Shortcut[][] = [];
  #first: { key: string; at: number } | null = null;

  constructor() {
    window.addEventListener('keydown', (event) => this.#press(event));
  }

  /** All that act now; of equal keys the last one does. */
  get active(): Shortcut[] {
    return this.#layers.flat();
  }

  add(layer: Shortcut[]): () => void {
    this.#layers = [...this.#layers, layer];
    return () => {
      this.#layers = this.#layers.filter((one) => one !== layer);
    };
  }

  #press(event: KeyboardEvent): void {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    // A dialog has the keyboard to itself.
    if (document.querySelector('dialog[open]')) return;
    const first = this.#first && Date.now() - this.#first.at < SEQUENCE_MS ? `${this.#first.key} ` : '';
    this.#first = null;
    const active = this.active;
    // What was added last lies on top.
    const found = active.findLast((shortcut) => shortcut.keys === first + event.key);
    if (found) {
      event.preventDefault();
      found.run();
    } else if (first === '' && active.some((shortcut) => shortcut.keys.startsWith(`${event.key} `))) {
      this.#first = { key: event.key, at: Date.now() };
    }
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

export const keyboard = new Keyboard();

/** Shortcuts for as long as the calling component is there. */
export function useShortcuts(shortcuts: Shortcut[]): void {
  onDestroy(keyboard.add(shortcuts));
}
