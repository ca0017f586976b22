import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../core/failure.ts';
import { RestoreWorld } from './support/world.ts';

describe('an agent that dies', () => {
  it('between any two effects of a restore is succeeded by one that restores the pod, once a container', async () => {
    const undisturbed = await RestoreWorld.create();
    const whole = undisturbed.agent(Infinity);
    await undisturbed.settle(whole);
    expect(undisturbed.condition).toMatch(/^True\/RestoreSucceeded/);
    expect(whole.effects).toBeGreaterThanOrEqual(5);
    for (let last = 1; last <= whole.effects; last += 1) {
      const world = await RestoreWorld.create();
      await world.settle(world.agent(last));
      await world.settle(world.agent(Infinity));
      expect(world.condition, `killed after effect ${last}`).toMatch(/^True\/RestoreSucceeded/);
      expect(world.runs).toBe(true);
      expect(world.restarts).toBeLessThanOrEqual(1);
      expect(world.violations).toEqual([]);
    }
  });

  it('in each attempt leaves a pod that is tried three times, and no more', async () => {
    const world = await RestoreWorld.create();
    world.outcome = () => new Promise(() => undefined);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const mortal = world.agent(Infinity);
      await world.settle(mortal);
      mortal.kill();
    }
    expect(world.begun).toHaveLength(3);
    expect(world.condition).toMatch(/^False\/RestoreFailed: 3 containers of the pod/);
    expect(world.violations).toEqual([]);
  });
});

describe('a restore', () => {
  it('that fails each time is tried three times, and no more', async () => {
    const world = await RestoreWorld.create();
    world.outcome = async () => {
      throw new Failure('terminal', 'RestoreFailed', 'criu');
    };
    await world.settle(world.agent(Infinity));
    expect(world.begun).toHaveLength(3);
    expect(world.condition).toMatch(/^False\/RestoreFailed: 3 containers of the pod/);
  });

  it('begins while the status tells of no container yet', async () => {
    const world = await RestoreWorld.create();
    world.statusLag = 'unknown';
    await world.kubelet();
    await world.settle(world.agent(Infinity));
    expect(world.condition).toMatch(/^True\/RestoreSucceeded/);
    expect(world.restarts).toBe(0);
  });

  it('waits for the status to tell of a container that was started again: attempts are counted by it', async () => {
    const world = await RestoreWorld.create();
    world.endContainer();
    const mortal = world.agent(Infinity);
    for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(world.begun).toEqual([]);
    expect(world.condition).toContain('was started again, and its status is older');
    await world.settle(mortal);
    expect(world.condition).toMatch(/^True\/RestoreSucceeded/);
  });

  it('that something outside of the pod is in the way of says so, and is begun again in the same container', async () => {
    const world = await RestoreWorld.create();
    let tries = 0;
    world.fetch = async () => {
      tries += 1;
      if (tries < 5) throw new Failure('retry', 'StorageFull', 'no space left');
    };
    const told: string[] = [];
    const mortal = world.agent(Infinity);
    while (!world.runs) {
      await world.settle(mortal);
      told.push(world.condition);
    }
    expect(told[0]).toMatch(/^(True|False\/RestorePending: no space left)/);
    expect(world.condition).toMatch(/^True\/RestoreSucceeded/);
    expect(tries).toBe(5);
    expect(world.restarts).toBe(0);
  });

  it('that failed is not told to the next container, which the kubelet may have started meanwhile', async () => {
    const world = await RestoreWorld.create();
    world.outcome = async () => {
      world.outcome = async () => undefined;
      throw new Failure('terminal', 'RestoreFailed', 'criu');
    };
    world.kube.before = ({ verb, body }) => {
      if (verb !== 'patch-status' || !JSON.stringify(body).includes('RestoreFailed')) return;
      if (world.restarts === 0) world.endContainer();
    };
    await world.settle(world.agent(Infinity));
    expect(world.condition).toMatch(/^True\/RestoreSucceeded/);
    expect(world.restarts).toBe(1);
  });

  it('whose container ends in the middle fails alone: the next container is restored', async () => {
    const world = await RestoreWorld.create();
    world.outcome = async () => {
      world.outcome = async () => undefined;
      world.endContainer();
    };
    await world.settle(world.agent(Infinity));
    expect(world.condition).toMatch(/^True\/RestoreSucceeded/);
    expect(world.begun).toEqual([100, 200]);
    expect(world.restarts).toBe(1);
  });
});

it('of two agents that both believe a placeholder to be theirs one restores into it', async () => {
  const world = await RestoreWorld.create();
  const [first, second] = [world.agent(Infinity), world.agent(Infinity)];
  await Promise.all([world.settle(first), world.settle(second)]);
  expect(world.violations).toEqual([]);
});
