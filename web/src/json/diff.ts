/** What changed between two texts, line by line. */
export interface Line {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

/** Beyond this many cells the table would cost more than it shows: everything between counts as replaced. */
const CELLS_MAX = 4_000_000;

export function diff(before: string, after: string): Line[] {
  const left = before.split('\n');
  const right = after.split('\n');
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const line = (kind: Line['kind']) => (text: string) => ({ kind, text });
  return [
    ...left.slice(0, start).map(line('same')),
    ...middle(left.slice(start, left.length - end), right.slice(start, right.length - end)),
    ...left.slice(left.length - end).map(line('same')),
  ];
}

/** By the longest common subsequence. */
function middle(left: readonly string[], right: readonly string[]): Line[] {
  const width = right.length + 1;
  const table = (left.length + 1) * width > CELLS_MAX ? null : new Uint32Array((left.length + 1) * width);
  if (!table) {
    return [
      ...left.map((text): Line => ({ kind: 'gone', text })),
      ...right.map((text): Line => ({ kind: 'new', text })),
    ];
  }
  const at = (row: number, column: number) => table[row * width + column] ?? 0;
  for (let row = left.length - 1; row >= 0; row -= 1) {
    for (let column = right.length - 1; column >= 0; column -= 1) {
      table[row * width + column] =
        left[row] === right[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const lines: Line[] = [];
  let row = 0;
  let column = 0;
  while (row < left.length || column < right.length) {
    const [one, other] = [left[row], right[column]];
    if (one !== undefined && one === other) {
      lines.push({ kind: 'same', text: one });
      row += 1;
      column += 1;
    } else if (one !== undefined && (other === undefined || at(row + 1, column) >= at(row, column + 1))) {
      lines.push({ kind: 'gone', text: one });
      row += 1;
    } else if (other !== undefined) {
      lines.push({ kind: 'new', text: other });
      column += 1;
    }
  }
  return lines;
}

export type Piece = { kind: 'lines'; lines: Line[] } | { kind: 'skipped'; count: number };

/** Leaves out what did not change, but for some lines around each change. */
export function condense(lines: readonly Line[], around = 3): Piece[] {
  const near = lines.map((_, index) =>
    lines.slice(Math.max(0, index - around), index + around + 1).some(({ kind }) => kind !== 'same'),
  );
  const pieces: Piece[] = [];
  lines.forEach((line, index) => {
    const last = pieces.at(-1);
    if (near[index]) {
      if (last?.kind === 'lines') last.lines.push(line);
      else pieces.push({ kind: 'lines', lines: [line] });
    } else if (last?.kind === 'skipped') last.count += 1;
    else pieces.push({ kind: 'skipped', count: 1 });
  });
  return pieces;
}
