import { beforeEach, describe, expect, test } from 'vitest';
import { FreezeWatch } from '../../../../../agent/capture/criu/freeze-watch.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';

let clock: FakeClock;
let stopped: boolean;
let written: { bytes: number; activity: number };
let told: string[];

beforeEach(() => {
  clock = new FakeClock();
  stopped = false;
  written = { bytes: 0, activity: 0 };
  told = [];
});

const watch = (budgetMilliseconds?: number): FreezeWatch =>
  new FreezeWatch(
    {
      clock,
      isStopped: async () => stopped,
      measure: async () => written,
      onProgress: (bytes) => void told.push(`progress ${bytes}`),
      onOver: (bytes) => void told.push(`over ${bytes}`),
      onStalled: (milliseconds) => void told.push(`stalled ${milliseconds}`),
    },
    budgetMilliseconds,
  );

describe('a freeze that is watched', () => {
  test('nothing is told and no budget runs before the source is stopped', async () => {
    watch(1000);
    await clock.advance(60_000);
    expect(told).toEqual([]);
  });

  test('progress is told four times a second, from the first stop to the end', async () => {
    const freeze = watch();
    stopped = true;
    await clock.advance(10);
    written = { bytes: 5, activity: 9 };
    await clock.advance(500);
    freeze.end();
    await clock.advance(5000);
    expect(told).toEqual(['progress 0', 'progress 5', 'progress 5']);
    expect(clock.pending).toBe(0);
  });

  test('the budget is counted from the first stop and is over once', async () => {
    watch(2000);
    await clock.advance(5000);
    stopped = true;
    written = { bytes: 7, activity: 1 };
    await clock.advance(1900);
    expect(told).not.toContain('over 7');
    await clock.advance(110);
    expect(told.filter((event) => event === 'over 7')).toHaveLength(1);
    await clock.advance(10_000);
    expect(told.filter((event) => event === 'over 7')).toHaveLength(1);
  });

  test('a freeze is taken as too long rather than too short, by one look', async () => {
    watch(2000);
    await clock.advance(5000);
    stopped = true;
    await clock.advance(1999);
    expect(told).not.toContain('over 0');
    await clock.advance(1);
    expect(told).toContain('over 0');
  });

  test('a freeze that ends within its budget is not over', async () => {
    const freeze = watch(2000);
    stopped = true;
    await clock.advance(1500);
    freeze.end();
    await clock.advance(5000);
    expect(told).not.toContain('over 0');
    expect(clock.pending).toBe(0);
  });

  test('a CRIU that writes nothing for a minute is stalled, told once', async () => {
    watch();
    stopped = true;
    await clock.advance(59_000);
    expect(told.some((event) => event.startsWith('stalled'))).toBe(false);
    await clock.advance(120_000);
    expect(told.filter((event) => event.startsWith('stalled'))).toEqual(['stalled 60000']);
  });

  test('one that only writes its log is not', async () => {
    watch();
    stopped = true;
    for (let seconds = 0; seconds < 200; seconds += 10) {
      await clock.advance(10_000);
      written = { bytes: 0, activity: seconds + 1 };
    }
    expect(told.some((event) => event.startsWith('stalled'))).toBe(false);
  });

  test('nor is one that waits at the hold', async () => {
    const freeze = watch();
    stopped = true;
    await clock.advance(1000);
    freeze.held();
    await clock.advance(600_000);
    expect(told.some((event) => event.startsWith('stalled'))).toBe(false);
  });
});
