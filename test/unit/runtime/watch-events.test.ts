import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { WatchEvent } from '../../../runtime/kube-port.ts';
import { watchEvents } from '../../../runtime/watch-events.ts';

async function* inChunks(bytes: Buffer, sizes: readonly number[]): AsyncIterable<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function read(text: string, sizes: readonly number[] = [7]): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const event of watchEvents(inChunks(Buffer.from(text), sizes))) events.push(event);
  return events;
}

it('finds the same events wherever the stream is cut, inside characters too', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
    async (names, sizes) => {
      const sent = names.map((name) => ({ type: 'ADDED', object: { name } }));
      const text = sent.map((event) => `${JSON.stringify(event)}\n`).join('');
      expect(await read(text, sizes)).toEqual(sent);
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

it('skips empty lines', async () => {
  expect(await read('\n{"type":"BOOKMARK","object":{}}\n\n')).toHaveLength(1);
});

it.each([
  ['a line that is not JSON', 'oops\n'],
  ['a line that is no event', '{"kind":"Status"}\n'],
  ['an event of unknown type', '{"type":"EXPLODED","object":{}}\n'],
  ['an end inside a line', '{"type":"ADDED","obj'],
])('fails on %s, after the events before it', async (_what, text) => {
  const seen: WatchEvent[] = [];
  const reading = async (): Promise<void> => {
    const good = '{"type":"ADDED","object":{}}\n';
    for await (const event of watchEvents(inChunks(Buffer.from(good + text), [5])))
      seen.push(event);
  };
  await expect(reading()).rejects.toMatchObject({ kind: 'retry', reason: 'WatchBroken' });
  expect(seen).toHaveLength(1);
});
