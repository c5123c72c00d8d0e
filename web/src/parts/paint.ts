/** Tiles painted on a canvas, as `Tiles.svelte` draws them with styles. */
import { TILES, type Tile } from '../cluster/instance';

export interface Paints {
  tiles: Record<Tile, string>;
  dark: boolean;
}

const TOKENS: Record<Tile, string> = {
  good: '--tile-good',
  run: '--tile-run',
  bad: '--tile-bad',
  wait: '--tile-wait',
  away: '--tile-away',
  end: '--tile-end',
  missing: '--line-strong',
};

let known: { revision: number; paints: Paints } | null = null;

/** The colours in effect since the last change of them, `revision`. */
export function paintsOf(revision: number): Paints {
  if (known?.revision !== revision) known = { revision, paints: paints() };
  return known.paints;
}

/** A canvas knows no custom properties: an element that wears them tells. */
function paints(): Paints {
  const probe = document.createElement('i');
  document.body.append(probe);
  const resolve = (token: string) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const tiles = Object.fromEntries(TILES.map((tile) => [tile, resolve(TOKENS[tile])])) as Record<Tile, string>;
  const paper = resolve('--paper');
  probe.remove();
  return { tiles, dark: Number(/\d+/.exec(paper)?.[0] ?? 255) < 128 };
}

/** A hue per app, the same on every machine and at every visit. */
export function appPaint(app: string, dark: boolean): string {
  let hash = 2166136261;
  for (let index = 0; index < app.length; index += 1) hash = Math.imul(hash ^ app.charCodeAt(index), 16777619);
  const hue = (hash >>> 0) % 360;
  const shade = ((hash >>> 9) % 3) * 0.06;
  return dark ? `oklch(${0.64 + shade} 0.12 ${hue})` : `oklch(${0.5 + shade} 0.13 ${hue})`;
}

/** Paints one tile of `size` at a place. */
export function paintTile(
  canvas: CanvasRenderingContext2D,
  tile: Tile,
  colour: string,
  x: number,
  y: number,
  size: number,
): void {
  canvas.fillStyle = canvas.strokeStyle = colour;
  switch (tile) {
    case 'good':
    case 'run':
      canvas.fillRect(x, y, size, size);
      return;
    case 'bad':
      canvas.beginPath();
      canvas.moveTo(x, y);
      canvas.lineTo(x + size * 0.55, y);
      canvas.lineTo(x + size, y + size * 0.45);
      canvas.lineTo(x + size, y + size);
      canvas.lineTo(x, y + size);
      canvas.fill();
      return;
    case 'wait':
      canvas.lineWidth = 2;
      canvas.strokeRect(x + 1, y + 1, size - 2, size - 2);
      return;
    case 'away':
      canvas.lineWidth = 1;
      canvas.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
      for (let step = 3; step < 2 * size; step += 4) {
        canvas.beginPath();
        canvas.moveTo(x + Math.max(0, step - size), y + Math.min(size, step));
        canvas.lineTo(x + Math.min(size, step), y + Math.max(0, step - size));
        canvas.stroke();
      }
      return;
    case 'end':
      canvas.fillRect(x + size * 0.3, y, size * 0.4, size);
      return;
    case 'missing':
      canvas.lineWidth = 1;
      canvas.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
      return;
  }
}
