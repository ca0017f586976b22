import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import {
  begin,
  expectNothingHeld,
  expectRunning,
  expectTerminated,
  isOver,
  stepOf,
} from './support/terminated.ts';
import { bothOf, type World } from './support/world.ts';

/** Agents one after the other, each dying after so many effects, then one that lives; `then` is done after each death. */
async function runWithDeaths(
  deaths: readonly number[],
  then: (world: World) => Promise<void> = async () => {},
  specOf?: (podUID: string) => RawObject,
): Promise<World> {
  const world = await begin({}, specOf);
  for (const dieAfter of deaths) {
    const life = await world.startAgent(dieAfter);
    await world.until('death or end', () => life.dead || isOver(world));
    life.kill();
    await then(world);
  }
  await world.startAgent();
  await world.until('the end', () => isOver(world));
  await world.clock.advance(2000);
  world.close();
  return world;
}

async function effectsOfOneOrder(specOf?: (podUID: string) => RawObject): Promise<number> {
  const world = await begin({}, specOf);
  const life = await world.startAgent();
  await world.until('the end', () => isOver(world));
  world.close();
  return life.effects;
}

describe('an order that ends its source', () => {
  it('keeps it frozen through the publish, and ends it and its pod once Ready is stored', async () => {
    const world = await begin();
    world.node.publishMilliseconds = 20_000;
    await world.startAgent();
    await world.until('the publish', () => world.content().status.stage === 'Publishing');
    expect(world.node.frozen).toBe(true);
    expect(world.content().status.sourceState).toBeUndefined();
    await world.until('the end', () => isOver(world));
    await world.clock.advance(2000);
    world.close();
    expectTerminated(world);
    // The dump was 95 ms of it.
    expect(world.content().status.freezeMilliseconds).toBeGreaterThan(20_000);
    expect(world.node.sentinels).toEqual([]);
    const writes = world.kube.writes.filter((call) => call.kind === 'Pod').slice(2);
    expect(writes.map((call) => call.verb)).toEqual(['patch', 'delete']);
    expect(writes[1]?.body).toEqual({ uid: world.content().spec.source.podRef?.uid });
  });

  it('killed between any two effects leaves one that its successor ends in the same way', async () => {
    const effects = await effectsOfOneOrder();
    expect(effects).toBeGreaterThan(15);
    for (let cut = 1; cut <= effects; cut += 1) expectTerminated(await runWithDeaths([cut]));
  });

  it('of two containers, killed when one is committed or ended and the other is not, ends both', async () => {
    const effects = await effectsOfOneOrder(bothOf);
    expect(effects).toBeGreaterThan(await effectsOfOneOrder());
    for (let cut = 1; cut <= effects; cut += 1) {
      expectTerminated(await runWithDeaths([cut], async () => {}, bothOf));
    }
  });

  it('killed twice, at any two moments, still ends the source with its one artifact', async () => {
    const moment = fc.integer({ min: 1, max: await effectsOfOneOrder() });
    await fc.assert(
      fc.asyncProperty(moment, moment, async (first, second) => {
        expectTerminated(await runWithDeaths([first, second]));
      }),
      { numRuns: 40 },
    );
  });

  it('killed at any moment and cancelled meanwhile either ended the source with Ready, or lets it run and keeps nothing', async () => {
    const effects = await effectsOfOneOrder();
    for (let cut = 1; cut <= effects; cut += 1) {
      const world = await runWithDeaths([cut], (one) =>
        one.patchContent({ spec: { cancel: true } }),
      );
      if (world.end() === 'Captured') expectTerminated(world);
      else {
        expect(world.end()).toBe('Cancelled');
        expectNothingHeld(world);
        expect(world.node.sourceAlive).toBe(true);
        expect(world.node.references.size).toBe(0);
      }
    }
  });

  it('killed in three publishes in a row lets it run, and fails', async () => {
    const world = await begin();
    world.node.publishMilliseconds = 20_000;
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const life = await world.startAgent();
      const published = () => stepOf(world) === 'holding' && world.node.dumps.length === attempt;
      await world.until('a publish', published);
      life.kill();
    }
    await world.startAgent();
    await world.until('the end', () => isOver(world));
    await world.clock.advance(2000);
    world.close();
    expectRunning(world, 'CheckpointFailed');
    expect(world.content().status.attempts).toBe(3);
  });
});
