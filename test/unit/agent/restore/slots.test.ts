import { expect, test } from 'vitest';
import { Slots } from '../../../../agent/restore/slots.ts';

const { signal } = new AbortController();

/** A task that is let go by the test. */
function task() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { promise, resolve, reject };
}

test('so many work at a time, the others in the order in which they came', async () => {
  const slots = new Slots(2);
  const tasks = [task(), task(), task(), task()];
  const begun: number[] = [];
  const ends = tasks.map(({ promise }, index) =>
    slots.run(signal, () => {
      begun.push(index);
      return promise;
    }),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  tasks[1]?.resolve('second');
  expect(await ends[1]).toBe('second');
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  tasks[0]?.reject(new Error('failed'));
  await expect(ends[0]).rejects.toThrow('failed');
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2, 3]);
});

test('who has given up meanwhile does nothing, and keeps nobody waiting', async () => {
  const slots = new Slots(1);
  const [first, stop] = [task(), new AbortController()];
  const ends = [
    slots.run(signal, () => first.promise),
    slots.run(stop.signal, async () => 'never'),
    slots.run(signal, async () => 'third'),
  ];
  stop.abort(new Error('given up'));
  first.resolve('first');
  await expect(ends[1]).rejects.toThrow('given up');
  expect(await Promise.all([ends[0], ends[2]])).toEqual(['first', 'third']);
});
