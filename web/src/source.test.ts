/** What must hold of every source file, and of the colours. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('.', import.meta.url).pathname;
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(svelte|ts)$/.test(path) && !path.endsWith('source.test.ts') && !path.endsWith('schema.d.ts'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

describe('no text becomes markup, code or style', () => {
  const FORBIDDEN = [
    /\{@html/,
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser/,
    /\beval\(|new Function/,
    /\sstyle="/,
    /javascript:/,
  ];

  it.each(files)('$path', ({ text }) => {
    for (const pattern of FORBIDDEN) expect(text).not.toMatch(pattern);
  });
});

describe('contrast', () => {
  const css = readFileSync(join(ROOT, 'tokens.css'), 'utf8');
  const pairs = new Map(
    [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);/g)].map(([, name, light, dark]) => [
      name,
      [light, dark],
    ]),
  );

  function luminance(colour: string): number {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const value = parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(one: string, other: string, scheme: number): number {
    const colours = [one, other].map((name) => luminance(pairs.get(name)?.[scheme] ?? ''));
    return (Math.max(...colours) + 0.05) / (Math.min(...colours) + 0.05);
  }

  const texts = ['ink', 'soft', 'accent', 'good', 'wait', 'bad', 'away'].flatMap((text) =>
    ['paper', 'surface', 'sunk'].map((ground) => [text, ground, 4.5]),
  );
  const washes = [
    ['accent', 'accent-wash'],
    ['wait', 'wait-wash'],
    ['bad', 'bad-wash'],
    ['ink', 'bad-wash'],
    ['ink', 'good-wash'],
    ['good', 'good-wash'],
    ['on-accent', 'accent'],
  ].map((pair) => [...pair, 4.5]);
  const tiles = ['good', 'run', 'bad', 'wait', 'away', 'end'].flatMap((tile) =>
    ['paper', 'surface'].map((ground) => [`tile-${tile}`, ground, 3]),
  );

  it.each([...texts, ...washes, ...tiles] as [string, string, number][])('of %s on %s', (text, ground, least) => {
    for (const scheme of [0, 1]) expect(contrast(text, ground, scheme)).toBeGreaterThanOrEqual(least);
  });
});
