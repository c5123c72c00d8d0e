/** The terminal itself; loaded when somebody opens one. */
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { TerminalSize } from '../../../api/schema';
import { withoutInlineStyles } from './styles';

/** Text against what is behind it, whatever colours a program chooses. */
const CONTRAST = 4.5;

export interface Listener {
  typed: (bytes: Uint8Array) => void;
  resized: (size: TerminalSize) => void;
  /** Shift and Escape: the way out for those who have no pointer. */
  left: () => void;
}

export interface Screen {
  readonly size: TerminalSize;
  show: (bytes: Uint8Array) => void;
  focus: () => void;
  dispose: () => void;
}

/** Makes a terminal that fills `place`, in its colours and its type. */
export function open(place: HTMLElement, listener: Listener): Screen {
  const { color, backgroundColor, fontFamily, fontSize } = getComputedStyle(place);
  const endStyles = withoutInlineStyles();
  const terminal = new Terminal({
    fontFamily,
    fontSize: parseFloat(fontSize),
    lineHeight: 1.3,
    minimumContrastRatio: CONTRAST,
    theme: { foreground: color, background: backgroundColor, cursor: color },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  terminal.onData((text) => listener.typed(new TextEncoder().encode(text)));
  // Reports of the mouse, a byte per character.
  terminal.onBinary((text) => listener.typed(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
  terminal.onResize(({ rows, cols }) => listener.resized({ rows, columns: cols }));
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== 'Escape' || !event.shiftKey) return true;
    if (event.type === 'keydown') listener.left();
    return false;
  });
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(place);
  return {
    get size() {
      return { rows: terminal.rows, columns: terminal.cols };
    },
    show: (bytes) => terminal.write(bytes),
    focus: () => terminal.focus(),
    dispose() {
      observer.disconnect();
      terminal.dispose();
      endStyles();
    },
  };
}
