import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Pace, pacedStore } from '../../../../agent/artifact/paced-store.ts';
import { digestOf } from '../../../../agent/store/digest.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { memoryStore } from '../../../support/memory-store.ts';

const never = new AbortController().signal;
const bytes = randomBytes(1000);

/** A store whose writes are timed; `rate` may be changed at any time. */
function paced(rate: number | undefined) {
  const clock = new FakeClock();
  const state = { rate, written: 0 };
  const pace = new Pace(clock, async () => state.rate);
  const store = pacedStore(memoryStore(), pace, (count) => {
    state.written += count;
  });
  const startedAt = clock.monotonicMilliseconds();
  const passed = (): number => clock.monotonicMilliseconds() - startedAt;
  /** Lets time pass until the put has ended; how long it took. */
  const timed = async (put: Promise<unknown>): Promise<number> => {
    const before = passed();
    let over = false;
    const watched = put.finally(() => {
      over = true;
    });
    watched.catch(() => {});
    for (let step = 0; step < 1000 && !over; step += 1) {
      await clock.advance(0);
      if (!over) await clock.advance(100);
    }
    await watched;
    return passed() - before;
  };
  return { clock, state, store, timed };
}

const put = (store: ReturnType<typeof paced>['store'], index: number, streamed = false) => {
  const content = Buffer.concat([bytes, Buffer.from([index])]);
  const pieces = [content.subarray(0, 500), content.subarray(500)];
  const body = streamed ? Readable.from(pieces) : content;
  return store.putBlob(digestOf(content), content.byteLength, body, never);
};

describe('a publish rate', () => {
  it('is kept by blobs in memory and by streams', async () => {
    for (const streamed of [false, true]) {
      const { store, timed, state } = paced(500);
      let milliseconds = 0;
      for (let index = 0; index < 4; index += 1) {
        milliseconds += await timed(put(store, index, streamed));
      }
      expect(milliseconds).toBeGreaterThanOrEqual(7700);
      expect(milliseconds).toBeLessThan(9500);
      expect(state.written).toBe(4004);
    }
  });

  it('is shared by all who write at once', async () => {
    const { store, timed } = paced(500);
    const all = Promise.all([0, 1, 2, 3].map((index) => put(store, index)));
    expect(await timed(all)).toBeGreaterThanOrEqual(7700);
  });

  it('holds back who would use the memory of the bytes again', async () => {
    const { store, clock } = paced(500);
    const startedAt = clock.monotonicMilliseconds();
    const taken: number[] = [];
    const writes = [0, 1, 2].map((index) => {
      const content = Buffer.concat([bytes, Buffer.from([index])]);
      const note = (): void => void taken.push(clock.monotonicMilliseconds() - startedAt);
      return store.putBlob(digestOf(content), content.byteLength, content, never, note);
    });
    for (let step = 0; step < 100; step += 1) await clock.advance(100);
    await Promise.all(writes);
    expect(taken).toHaveLength(3);
    expect(Math.max(...taken)).toBeGreaterThanOrEqual(5500);
  });

  it('counts nothing that is there already, and nothing where there is no limit', async () => {
    const { store, timed, state } = paced(undefined);
    expect(await timed(put(store, 1))).toBe(0);
    state.rate = 1;
    expect(await timed(put(store, 1))).toBe(0);
  });

  it('counts from the moment it is changed, also for who is waiting', async () => {
    const { store, clock, state } = paced(1);
    let over = false;
    const slow = put(store, 1).finally(() => {
      over = true;
    });
    await clock.advance(5000);
    expect(over).toBe(false);
    state.rate = undefined;
    await clock.advance(1100);
    expect(over).toBe(true);
    await slow;
  });
});
