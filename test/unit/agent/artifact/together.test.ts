import { expect, test } from 'vitest';
import { together } from '../../../../agent/artifact/bounded.ts';

const never = new AbortController().signal;

test('things done side by side give their results in order', async () => {
  expect(await together(never, () => [Promise.resolve(1), Promise.resolve('two')])).toEqual([
    1,
    'two',
  ]);
});

test('after a failure the others are told to stop, and waited for', async () => {
  const ended: string[] = [];
  const failing = together(never, (signal) => [
    Promise.reject(new Error('first')),
    new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => setImmediate(() => resolve(void ended.push('other'))));
    }),
  ]);
  await expect(failing).rejects.toThrow('first');
  expect(ended).toEqual(['other']);
});

test('an abort from outside comes out as its reason', async () => {
  const outer = new AbortController();
  const aborted = together(outer.signal, (signal) => [
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cut short')));
    }),
  ]);
  outer.abort(new Error('cancelled'));
  await expect(aborted).rejects.toThrow('cancelled');
});
