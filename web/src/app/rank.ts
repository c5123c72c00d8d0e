/** Finds by letters in their order: what begins a word and what stands together counts more, shorter texts first. */

const NOT_FOUND = Number.NEGATIVE_INFINITY;
/** What is about the present page counts more than a shorter name. */
const HERE = 100;

export function rank<T>(
  items: readonly T[],
  text: string,
  textOf: (item: T) => string,
  isHere: (item: T) => boolean,
): T[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return [...items];
  const scored: { item: T; score: number }[] = [];
  for (const item of items) {
    const score = scoreOf(textOf(item).toLowerCase(), wanted);
    if (score !== NOT_FOUND) scored.push({ item, score: score + (isHere(item) ? HERE : 0) });
  }
  return scored.sort((one, other) => other.score - one.score).map(({ item }) => item);
}

/** Spaces in what is wanted match nothing or anything. */
export function scoreOf(text: string, wanted: string): number {
  const whole = text.indexOf(wanted);
  if (whole >= 0) return 1_000 - text.length - (begins(text, whole) ? 0 : 50);
  let score = 0;
  let at = 0;
  for (const letter of wanted) {
    if (letter === ' ') continue;
    const found = text.indexOf(letter, at);
    if (found < 0) return NOT_FOUND;
    score += begins(text, found) ? 8 : found === at ? 4 : 1;
    at = found + 1;
  }
  return score * 10 - text.length;
}

function begins(text: string, at: number): boolean {
  return at === 0 || !/[a-z0-9]/.test(text[at - 1] ?? '');
}
