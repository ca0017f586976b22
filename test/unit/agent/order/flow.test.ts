import { afterEach, describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { sleep } from '../../../../core/clock.ts';
import { Failure } from '../../../../core/failure.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import { World } from './support/world.ts';

describe('an order', () => {
  let world = new World();
  afterEach(() => world.close());

  const begin = async (spec = {}, prepare = (_world: World): void => {}): Promise<void> => {
    world = new World();
    prepare(world);
    await world.startAgent();
    await world.createContent(await world.createPod(), spec);
  };

  it('asks the API server for the source at the gate, for order and lease before the artifact is named, for the lease before the end', async () => {
    await begin();
    const before = world.kube.calls.length;
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(1000);
    const reads = world.kube.calls.slice(before).filter(({ verb }) => verb === 'get');
    expect(reads.map(({ kind }) => kind)).toEqual(['Pod', 'PodSnapshotContent', 'Lease', 'Lease']);
  });

  it('that moved since it was observed is read again before its end is written', async () => {
    await begin();
    let moved = false;
    world.kube.before = async (call) => {
      if (moved || call.verb !== 'patch-status' || call.kind !== 'PodSnapshotContent') return;
      moved = true;
      throw new Failure('conflict', 'Conflict', 'it moved');
    };
    await world.until('the end', () => world.end() === 'Captured');
    const about = world.kube.calls.filter(({ kind }) => kind === 'PodSnapshotContent');
    const from = about.findIndex(({ verb }) => verb === 'patch-status');
    expect(about.slice(from, from + 3).map(({ verb }) => verb)).toEqual([
      'patch-status',
      'get',
      'patch-status',
    ]);
  });

  it('takes the label off once, though news of the pod come late', async () => {
    await begin({}, ({ kube, clock }) => {
      const watch = kube.watch.bind(kube);
      kube.watch = async function* (selection, signal) {
        for await (const event of watch(selection, signal)) {
          if (selection.kind === kinds.pod) await sleep(clock, 100, signal);
          yield event;
        }
      };
    });
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(5000);
    const patches = world.kube.writes.filter(({ verb, kind }) => `${verb} ${kind}` === 'patch Pod');
    expect(patches).toHaveLength(2);
    expect(recordAt(recordAt(world.pod() ?? {}, 'metadata'), 'labels')).toEqual({});
  });

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
