import { describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../../core/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const outcomeOf = (promise: Promise<void>): Promise<string> =>
  promise.then(
    () => 'slept',
    (reason: unknown) => `rejected: ${String(reason)}`,
  );

describe('sleep', () => {
  it('resolves when the time has passed, not before', async () => {
    const clock = new FakeClock();
    let done = false;
    const sleeping = sleep(clock, 500, new AbortController().signal).then(() => {
      done = true;
    });
    await clock.advance(499);
    expect(done).toBe(false);
    await clock.advance(1);
    await sleeping;
    expect(done).toBe(true);
  });

  it('rejects with the reason of the signal and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const sleeping = outcomeOf(sleep(clock, 500, stop.signal));
    stop.abort('shutting down');
    expect(await sleeping).toBe('rejected: shutting down');
    expect(clock.pending).toBe(0);
  });

  it('does not begin when the signal has aborted already', async () => {
    const clock = new FakeClock();
    expect(await outcomeOf(sleep(clock, 500, AbortSignal.abort('late')))).toBe('rejected: late');
    expect(clock.pending).toBe(0);
  });

  it('ignores an abort that comes after the time has passed', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const sleeping = outcomeOf(sleep(clock, 10, stop.signal));
    await clock.advance(10);
    stop.abort('late');
    expect(await sleeping).toBe('slept');
  });

  it('is not moved by a jump of the wall clock', async () => {
    const clock = new FakeClock();
    const sleeping = outcomeOf(sleep(clock, 500, new AbortController().signal));
    clock.jumpWall(3_600_000);
    expect(clock.pending).toBe(1);
    await clock.advance(500);
    expect(await sleeping).toBe('slept');
  });
});

describe('systemClock', () => {
  it('has a monotonic clock that never goes back', () => {
    const first = systemClock.monotonicMilliseconds();
    expect(systemClock.monotonicMilliseconds()).toBeGreaterThanOrEqual(first);
  });

  it('calls back, unless it was told not to', async () => {
    const called: string[] = [];
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(0, () => called.push('cancelled'));
      cancel();
      systemClock.after(1, resolve);
    });
    expect(called).toEqual([]);
  });
});
