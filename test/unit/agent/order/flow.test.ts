import { afterEach, describe, expect, it } from 'vitest';
import { recordAt } from '../../../../runtime/raw-object.ts';
import { World } from './support/world.ts';

describe('an order', () => {
  let world = new World();
  afterEach(() => world.close());

  const begin = async (spec = {}): Promise<void> => {
    world = new World();
    await world.startAgent();
    await world.createContent(await world.createPod(), spec);
  };

  it('captures a running pod with five writes, none of them a stage', async () => {
    await begin();
    const before = world.kube.writes.length;
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(1000);
    expect(world.kube.writes.slice(before).map((call) => `${call.verb} ${call.kind}`)).toEqual([
      'patch Pod',
      'create Lease',
      'patch-status PodSnapshotContent',
      'patch Pod',
      'patch Lease',
    ]);
    expect(world.node.sentinels.map((sentinel) => sentinel.name)).toEqual(['snapshot-complete']);
    expect(world.node.journal.size).toBe(0);
    expect(world.node.staging.size).toBe(0);
    expect(world.node.trace.violations()).toEqual([]);
    const { status } = world.content();
    expect(status).toMatchObject({
      stage: 'Captured',
      sourceState: 'Running',
      freezeMilliseconds: 95,
      stageMilliseconds: { queued: 0, preparing: 0, freezing: 250, publishing: 300 },
      attempts: 1,
      artifact: { store: 'memory' },
    });
    expect(recordAt(recordAt(world.pod() ?? {}, 'metadata'), 'labels')).toEqual({});
  });
});
