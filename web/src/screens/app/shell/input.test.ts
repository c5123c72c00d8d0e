import { expect, test } from 'vitest';
import type { SessionInput } from '../../../api/schema';
import { Input, decode, encode } from './input';

test('bytes survive their way', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  expect(decode(encode(bytes))).toEqual(bytes);
});

test('one request is under way at a time, and the next one has all that came meanwhile', async () => {
  const sent: SessionInput[] = [];
  const waiting: (() => void)[] = [];
  const send = async (input: SessionInput): Promise<void> => {
    sent.push(input);
    await new Promise<void>((done) => waiting.push(done));
  };
  const input = new Input(send, () => undefined);
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  input.type(bytes('a'));
  input.type(bytes('b'));
  input.resize({ rows: 1, columns: 2 });
  input.type(bytes('c'));
  expect(sent).toEqual([{ data: btoa('a') }]);
  waiting.shift()?.();
  await expect.poll(() => sent.length).toBe(2);
  expect(sent[1]).toEqual({ terminal: { rows: 1, columns: 2 }, data: btoa('bc') });
});

test('what cannot be sent is said', async () => {
  const failures: unknown[] = [];
  const input = new Input(
    () => Promise.reject(new Error('gone')),
    (error) => failures.push(error),
  );
  input.type(new Uint8Array([1]));
  await expect.poll(() => failures).toEqual([new Error('gone')]);
});
