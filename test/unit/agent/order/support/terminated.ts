import { expect } from 'vitest';
import type { RawObject } from '../../../../../runtime/kube-port.ts';
import { World } from './world.ts';

const terminate = { afterCapture: 'Terminate' };
/** The order has ended and its agent is done with it. */
export const isOver = (world: World): boolean =>
  world.node.journal.size === 0 && ['Captured', 'Failed'].includes(world.content().status.stage);

/** How far the journal says the order is. */
export const stepOf = (world: World): string | undefined =>
  [...world.node.journal.values()][0]?.step;

/** No freeze, no staging, no intent, and no invariant broken. */
export function expectNothingHeld(world: World): void {
  expect(world.node.trace.violations()).toEqual([]);
  expect(world.node.frozen).toBe(false);
  expect([...world.node.staging.keys()]).toEqual([]);
  expect([...world.node.journal.keys()]).toEqual([]);
}

/** Ready with its one artifact, and the source ended with it. */
export function expectTerminated(world: World): void {
  expectNothingHeld(world);
  expect(world.end()).toBe('Captured');
  const { artifact, sourceState } = world.content().status;
  expect(sourceState).toBe('Terminated');
  expect(world.node.sourceAlive).toBe(false);
  expect(world.pod()).toBeUndefined();
  const digests = [...world.node.references.values()].map((published) => published.digest);
  expect(digests).toEqual([artifact?.digest]);
}

/** Failed, the source running, and nothing left of what was published for its end. */
export function expectRunning(world: World, reason: string): void {
  expectNothingHeld(world);
  expect(world.end()).toBe(reason);
  expect(world.content().status.sourceState).toBe('Running');
  expect(world.node.sourceAlive).toBe(true);
  expect(world.pod()).toBeDefined();
  expect(world.node.references.size).toBe(0);
  expect(world.node.sentinels.at(-1)?.name).toBe('snapshot-failed');
}

/** A world with an order that ends its source, and no agent yet. */
export async function begin(
  spec: RawObject = {},
  specOf: (podUID: string) => RawObject = () => ({}),
): Promise<World> {
  const world = new World();
  const podUID = await world.createPod();
  await world.createContent(podUID, { ...terminate, ...spec, ...specOf(podUID) });
  return world;
}
