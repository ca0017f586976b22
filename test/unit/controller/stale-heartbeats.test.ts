import { describe, expect, it } from 'vitest';
import { AgentBeats } from '../../../controller/agent-beats.ts';
import { removeStaleHeartbeats } from '../../../controller/stale-heartbeats.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { agentLeaseName, systemNamespace } from '../../../core/api/names.ts';
import { parseLease } from '../../../core/api/workload.ts';
import { Failure } from '../../../core/failure.ts';
import { silentLog } from '../../../runtime/log.ts';
import { beat } from './support/cluster.ts';
import { worldWithPod } from './support/one-snapshot.ts';
import { World } from './support/world.ts';

const never = new AbortController().signal;
const hour = 3_600_000;

/** The heartbeat of node-a was heard in this world; `remove` tidies up as a controller that watched it would. */
async function heard(world: World) {
  const beats = new AgentBeats(world.clock);
  const key = { kind: kinds.lease, namespace: systemNamespace, name: agentLeaseName('node-a') };
  const hear = (): void => {
    const lease = parseLease(world.kube.peek(key));
    beats.seen(key.name, lease.ok ? lease.value : undefined);
  };
  await beat(world, 'node-a');
  hear();
  const { contents, kube } = world;
  const deps = { kube, contents, beats, log: silentLog, namespace: systemNamespace };
  return {
    hear,
    isThere: () => world.kube.peek(key) !== undefined,
    remove: () => removeStaleHeartbeats(deps, never),
  };
}

describe('the heartbeat Lease of a node that is gone', () => {
  it('is removed an hour after the last beat', async () => {
    const world = new World();
    const { isThere, remove } = await heard(world);
    await world.clock.advance(hour - 1);
    await remove();
    expect(isThere()).toBe(true);
    await world.clock.advance(1);
    await remove();
    expect(isThere()).toBe(false);
  });

  it('stays while the node is there, however silent', async () => {
    const world = new World();
    const { isThere, remove } = await heard(world);
    await world.create(kinds.node, { metadata: { name: 'node-a' } });
    await world.clock.advance(24 * hour);
    await remove();
    expect(isThere()).toBe(true);
  });

  it('stays while a content has bytes on the node: it says which store they are in', async () => {
    const world = await worldWithPod();
    await world.rest();
    const { isThere, remove } = await heard(world);
    await world.clock.advance(hour);
    await remove();
    expect(isThere()).toBe(true);
  });

  it('stays when it beats again, also when the watch has not shown that yet', async () => {
    const world = new World();
    const { hear, isThere, remove } = await heard(world);
    await world.clock.advance(hour);
    await beat(world, 'node-a');
    await remove();
    expect(isThere()).toBe(true);
    hear();
    const calls = world.kube.calls.length;
    await remove();
    expect(world.kube.calls.length).toBe(calls);
  });

  it('is left for the next time when the API server does not answer', async () => {
    const world = new World();
    const { isThere, remove } = await heard(world);
    await world.clock.advance(hour);
    world.kube.before = () => {
      throw new Failure('retry', 'ConnectionFailed', 'down');
    };
    await remove();
    world.kube.before = () => {};
    expect(isThere()).toBe(true);
    await remove();
    expect(isThere()).toBe(false);
  });
});
