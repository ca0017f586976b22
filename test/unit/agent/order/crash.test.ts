import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import { bothOf, World } from './support/world.ts';

/** Whatever died and when, this is what must be found once an order has ended well. */
function expectCaptured(world: World): void {
  expect(world.node.trace.violations()).toEqual([]);
  expect(world.end()).toBe('Captured');
  const { artifact } = world.content().status;
  const { uid } = world.content().metadata;
  expect([...world.node.references.keys()]).toEqual([uid]);
  expect(artifact?.digest).toBe(world.node.references.get(uid)?.digest);
  expectNothingLeft(world);
  expect(world.node.sentinels.at(-1)?.name).toBe('snapshot-complete');
}

function expectNothingLeft(world: World): void {
  expect(world.node.frozen).toBe(false);
  expect([...world.node.staging.keys()]).toEqual([]);
  expect([...world.node.journal.keys()]).toEqual([]);
  const labels = recordAt(recordAt(world.pod() ?? {}, 'metadata'), 'labels');
  expect(labels).toEqual({});
}

/** Runs agents one after the other, each dying after so many effects, then one that lives, until the order has ended. */
async function runWithDeaths(
  deaths: readonly number[],
  specOf: (podUID: string) => RawObject = () => ({}),
): Promise<World> {
  const world = new World();
  const podUID = await world.createPod();
  await world.createContent(podUID, specOf(podUID));
  for (const dieAfter of deaths) {
    const life = await world.startAgent(dieAfter);
    const ended = (): boolean =>
      world.node.journal.size === 0 &&
      ['Captured', 'Failed'].includes(world.content().status.stage);
    await world.until('death or end', () => life.dead || ended());
    life.kill();
  }
  await world.startAgent();
  await world.until('the end', () => ['Captured', 'Failed'].includes(world.content().status.stage));
  await world.until('quiet', () => world.node.journal.size === 0);
  await world.clock.advance(2000);
  world.close();
  return world;
}

async function effectsOfOneOrder(
  specOf: (podUID: string) => RawObject = () => ({}),
): Promise<number> {
  const world = new World();
  const podUID = await world.createPod();
  await world.createContent(podUID, specOf(podUID));
  const life = await world.startAgent();
  await world.until('the end', () => world.end() === 'Captured');
  await world.clock.advance(1000);
  world.close();
  return life.effects;
}

describe('an agent that is killed', () => {
  it('between any two effects leaves an order that its successor ends in the same way', async () => {
    const effects = await effectsOfOneOrder();
    expect(effects).toBeGreaterThan(15);
    for (let cut = 1; cut <= effects; cut += 1) {
      const world = await runWithDeaths([cut]);
      expectCaptured(world);
    }
  });

  it('between any two effects of an order of two containers too, also when only one was told to go on', async () => {
    const effects = await effectsOfOneOrder(bothOf);
    expect(effects).toBeGreaterThan(await effectsOfOneOrder());
    for (let cut = 1; cut <= effects; cut += 1) {
      const world = await runWithDeaths([cut], bothOf);
      expectCaptured(world);
      for (const { parts } of world.node.dumps) {
        expect(parts.map(({ container }) => container)).toEqual(['main', 'side']);
      }
    }
  });

  it('twice, at any two moments, still leaves one artifact and one end', async () => {
    const effects = await effectsOfOneOrder();
    const moment = fc.integer({ min: 1, max: effects });
    await fc.assert(
      fc.asyncProperty(moment, moment, async (first, second) => {
        expectCaptured(await runWithDeaths([first, second]));
      }),
      { numRuns: 25 },
    );
  });

  it('in three dumps in a row ends as CheckpointFailed, with the source running', async () => {
    const world = new World();
    await world.createContent(await world.createPod());
    world.node.dumpMilliseconds = 5000;
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const life = await world.startAgent();
      await world.until('a dump', () => world.node.dumps.length === attempt);
      await world.clock.advance(1000);
      life.kill();
    }
    await world.startAgent();
    await world.until('the end', () => world.end() === 'CheckpointFailed');
    await world.clock.advance(2000);
    world.close();
    expectNothingLeft(world);
    expect(world.node.trace.violations()).toEqual([]);
    expect(world.content().status).toMatchObject({ attempts: 3, sourceState: 'Running' });
    expect(world.node.sentinels.at(-1)?.name).toBe('snapshot-failed');
  });

  it('after the machine was restarted does not publish what a page cache has lost', async () => {
    const world = new World();
    await world.createContent(await world.createPod());
    world.node.publishMilliseconds = 60_000;
    const life = await world.startAgent();
    await world.until('the thaw', () => world.node.trace.deeds.at(-1)?.what === 'dump-ended');
    await world.clock.advance(1000);
    life.kill();
    world.node.bootID = 'boot-2';
    await world.startAgent();
    await world.until('the end', () => world.end() === 'Captured', 300_000);
    await world.clock.advance(2000);
    world.close();
    expect(world.node.dumps.length).toBe(2);
    expectCaptured(world);
  });

  it('in the publish leaves a dump that its successor publishes without another freeze', async () => {
    const world = new World();
    await world.createContent(await world.createPod());
    world.node.publishMilliseconds = 10_000;
    const life = await world.startAgent();
    await world.until('the thaw', () => world.node.trace.deeds.at(-1)?.what === 'dump-ended');
    await world.clock.advance(3000);
    life.kill();
    await world.startAgent();
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(2000);
    world.close();
    expect(world.node.dumps.length).toBe(1);
    expect(world.content().status.attempts).toBe(1);
    expectCaptured(world);
  });

  it('leaves staging that no journal names, and its successor removes it', async () => {
    const world = new World();
    world.node.staging.set('/staging/unknown-1', []);
    await world.startAgent();
    world.close();
    expect(world.node.staging.size).toBe(0);
    expect(world.kube.all(kinds.podSnapshotContent)).toEqual([]);
  });
});
