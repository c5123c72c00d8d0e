/** What the server or the parser found wrong with a text, by line. */
import type { ApiError } from '../api/client';
import { lineOf, locate, placeOf } from './locate';

export interface Mark {
  /** Counted from 0; null: it is about no place in the text. */
  line: number | null;
  path: string;
  text: string;
}

/** What can be seen without asking the server. */
export function ownMarks(text: string): Mark[] {
  const { fault } = locate(text);
  return fault ? [{ line: lineOf(text, fault.offset), path: '', text: fault.message }] : [];
}

/** What the server refused, at its place in the text that it was sent. */
export function marksOf(error: ApiError, text: string): Mark[] {
  if (error.parser !== null) {
    const line = /line (\d+)/.exec(error.parser)?.[1];
    return [{ line: line === undefined ? null : Number(line) - 1, path: '', text: error.parser }];
  }
  const { spans } = locate(text);
  return error.faults.flatMap(({ path, errors }) => {
    const place = path === '/' ? null : placeOf(spans, path);
    const line = place && lineOf(text, place.start);
    return errors.map((words) => ({ line, path, text: inWords(words) }));
  });
}

/** A code of Marathon's that is no sentence. */
function inWords(text: string): string {
  return text === 'error.path.missing' ? 'This must be set.' : text;
}
