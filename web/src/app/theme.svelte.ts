/** System, light or dark; the choice is kept in this browser. */
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'attica.theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

class ThemeChoice {
  value: Theme = $state(stored());
  /** Moves when the colours on the page change: for what paints them itself. */
  revision = $state(0);

  constructor() {
    this.#show();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (this.revision += 1));
  }

  set(theme: Theme): void {
    this.value = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing still shows it.
    }
    this.#show();
  }

  next(): void {
    this.set(ORDER[(ORDER.indexOf(this.value) + 1) % ORDER.length] ?? 'system');
  }

  #show(): void {
    if (this.value === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.value;
    this.revision += 1;
  }
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === value) ?? 'system';
  } catch {
    return 'system';
  }
}

export const theme = new ThemeChoice();
