/** The row that j and k move and Enter opens. */
import { useShortcuts } from '../app/keyboard';

export class ListCursor {
  index = $state(-1);
}

interface Options {
  length: () => number;
  reveal: (index: number) => void;
  open: (index: number) => void;
}

export function useListCursor(options: Options): ListCursor {
  const cursor = new ListCursor();
  const move = (by: number) => {
    const length = options.length();
    if (length === 0) return;
    cursor.index = Math.min(length - 1, Math.max(0, cursor.index + by));
    options.reveal(cursor.index);
  };
  useShortcuts([
    { keys: 'j', words: 'Next row', run: () => move(1) },
    { keys: 'k', words: 'Previous row', run: () => move(-1) },
    {
      keys: 'Enter',
      words: 'Open the row',
      run: () => {
        if (document.activeElement instanceof HTMLElement && document.activeElement !== document.body) {
          document.activeElement.click();
        } else if (cursor.index >= 0) options.open(cursor.index);
      },
    },
  ]);
  return cursor;
}
