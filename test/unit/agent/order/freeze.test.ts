import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../../core/api/conditions.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { World } from './support/world.ts';

describe('the freeze of an order', () => {
  let world = new World();
  beforeEach(async () => {
    world = new World();
    await world.startAgent();
  });
  afterEach(() => world.close());

  const begin = async (spec: RawObject = {}): Promise<void> => {
    await world.createContent(await world.createPod(), spec);
    await world.until('the dump', () => world.node.dumps.length === 1);
  };
  const ended = async (reason: string): Promise<void> => {
    await world.until(reason, () => world.content().status.stage === 'Failed');
    await world.clock.advance(2000);
    expect(world.end()).toBe(reason);
    expect(world.content().status.sourceState).toBe('Running');
    expect(world.node.frozen).toBe(false);
    expect(world.node.references.size).toBe(0);
    expect(world.node.staging.size).toBe(0);
    expect(world.node.trace.violations()).toEqual([]);
  };

  it('shows how many bytes are written, once it lasts', async () => {
    world.node.dumpMilliseconds = 20_000;
    await begin();
    await world.until('progress', () => world.content().status.progress?.bytesDone === 500);
    const { stage, progress } = world.content().status;
    expect(stage).toBe('Freezing');
    expect(progress).toMatchObject({ bytesDone: 500, bytesTotal: 1000 });
    await world.until('the end', () => world.end() === 'Captured');
    expect(world.content().status.progress).toBeUndefined();
  });

  it('ends as FreezeBudgetExceeded when it outlasts its budget, and the source runs on', async () => {
    world.node.dumpMilliseconds = 60_000;
    const begun = world.clock.monotonicMilliseconds();
    await begin({ freezeBudgetSeconds: 5 });
    await ended('FreezeBudgetExceeded');
    expect(world.clock.monotonicMilliseconds() - begun).toBeLessThan(10_000);
    const failed = findCondition(world.content().status.conditions, 'Failed');
    expect(failed?.message).toBe('the freeze lasted too long; the source runs on');
    expect(world.node.dumps).toHaveLength(1);
  });

  it('is not ended by a budget that it keeps', async () => {
    world.node.dumpMilliseconds = 4000;
    await begin({ freezeBudgetSeconds: 5 });
    await world.until('the end', () => world.end() === 'Captured');
  });

  it('is cut short in the middle of the memory by a cancel', async () => {
    world.node.dumpMilliseconds = 60_000;
    await begin();
    await world.clock.advance(1000);
    const cancelled = world.clock.monotonicMilliseconds();
    await world.patchContent({ spec: { cancel: true } });
    await ended('Cancelled');
    expect(world.clock.monotonicMilliseconds() - cancelled).toBeLessThan(5000);
  });

  it('is cut short by the deadline', async () => {
    world.node.dumpMilliseconds = 60_000;
    await begin({ deadlineSeconds: 3 });
    await ended('DeadlineExceeded');
    expect(world.clock.monotonicMilliseconds()).toBeLessThan(15_000);
  });

  it('ends with the agent, which leaves the order to its successor', async () => {
    world.node.dumpMilliseconds = 60_000;
    await begin();
    const stopping = world.agent?.orders.stop(20_000);
    await world.clock.advance(2000);
    await stopping;
    expect(world.node.frozen).toBe(false);
    expect(world.content().status.stage).not.toBe('Failed');
  });
});
