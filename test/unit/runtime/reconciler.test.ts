import { expect, it } from 'vitest';
import { Failure } from '../../../core/failure.ts';
import { silentLog } from '../../../runtime/log.ts';
import { againAfter, done, type Next, runReconciler } from '../../../runtime/reconciler.ts';
import { silentQueueObserver } from '../../../runtime/work-queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A reconciler that ends its runs as listed, then with `done`. */
function setUp(results: readonly (Next | Error)[]) {
  const clock = new FakeClock();
  const outcomes: string[] = [];
  const fences: Failure[] = [];
  const script = [...results];
  const reconciler = runReconciler({
    name: 'test',
    slots: 1,
    clock,
    random: () => 0.5,
    log: silentLog,
    queueObserver: silentQueueObserver,
    ended: (outcome) => void outcomes.push(outcome),
    fenced: (failure) => void fences.push(failure),
    reconcile: async () => {
      const result = script.shift() ?? done;
      if (result instanceof Error) throw result;
      return result;
    },
  });
  reconciler.add('a');
  return { clock, outcomes, fences, reconciler };
}

it('looks again after the time that a reconcile asks for', async () => {
  const { clock, outcomes } = setUp([againAfter(1000)]);
  await clock.advance(999);
  expect(outcomes).toEqual(['again']);
  await clock.advance(1);
  expect(outcomes).toEqual(['again', 'done']);
});

it('tries again with back-off after a retry failure and after an error of unknown kind', async () => {
  const { clock, outcomes } = setUp([new Failure('retry', 'Timeout', 'x'), new TypeError('bug')]);
  await clock.advance(4);
  expect(outcomes).toEqual(['retry']);
  await clock.advance(1);
  expect(outcomes).toEqual(['retry', 'retry']);
  await clock.advance(10);
  expect(outcomes).toEqual(['retry', 'retry', 'done']);
});

it('waits as long as the server asked for', async () => {
  const busy = new Failure('retry', 'TooManyRequests', 'x', { retryAfterMilliseconds: 3000 });
  const { clock, outcomes } = setUp([busy]);
  await clock.advance(2999);
  expect(outcomes).toEqual(['retry']);
  await clock.advance(1);
  expect(outcomes).toEqual(['retry', 'done']);
});

it('tries again soon after a conflict', async () => {
  const { clock, outcomes } = setUp([new Failure('conflict', 'Conflict', 'x')]);
  await clock.advance(20);
  expect(outcomes).toEqual(['conflict', 'done']);
});

it.each(['gone', 'terminal'] as const)(
  'gives up on a %s failure until something changes',
  async (kind) => {
    const { clock, outcomes, reconciler } = setUp([new Failure(kind, 'X', 'x')]);
    await clock.advance(600_000);
    expect(outcomes).toEqual(['dropped']);
    reconciler.add('a');
    await clock.advance(0);
    expect(outcomes).toEqual(['dropped', 'done']);
  },
);

it('stops for good when it is fenced', async () => {
  const { clock, outcomes, fences, reconciler } = setUp([new Failure('fenced', 'LeaseLost', 'x')]);
  await clock.advance(0);
  reconciler.add('a');
  await clock.advance(600_000);
  expect(outcomes).toEqual(['fenced']);
  expect(fences.map((failure) => failure.reason)).toEqual(['LeaseLost']);
});
