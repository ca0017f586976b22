import { describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { contentName, finalizers, labels } from '../../../../core/api/names.ts';
import { Failure } from '../../../../core/failure.ts';
import {
  agentsAct,
  capturedStatus,
  failedStatus,
  podObject,
  snapshotManifest,
} from '../support/cluster.ts';
import { change, failedReason, orderStatus, worldWithPod } from '../support/one-snapshot.ts';
import { Crash, World } from '../support/world.ts';

// Behaviours of the reconciler that this one succeeds, each as a row of its own; see docs/control-plane.md.
describe('the order of a snapshot', () => {
  it('names the containers of the request, in their order', async () => {
    const world = new World();
    const containers = ['side', 'main', 'log'];
    await world.create(kinds.pod, podObject('web', { node: 'node-a', containers }));
    const asked = ['log', 'side'];
    await world.create(
      kinds.podSnapshot,
      snapshotManifest('one', { name: 'web', containers: asked }),
    );
    await world.rest();
    expect(world.contentOf('one')?.spec.source.podRef?.containers).toEqual(asked);
  });

  it('is made with and without a checkpoint ID, and carries it', async () => {
    const world = await worldWithPod();
    const manifest = snapshotManifest('two', { name: 'web' });
    const metadata = {
      name: 'two',
      namespace: 'default',
      labels: { [labels.checkpointID]: 'abc' },
    };
    await world.create(kinds.podSnapshot, { ...manifest, metadata });
    await world.rest();
    expect(world.contentOf('one')?.metadata.labels).not.toHaveProperty([labels.checkpointID]);
    expect(world.contentOf('two')?.metadata.labels[labels.checkpointID]).toBe('abc');
  });

  it('that was made before a crash is adopted, not made twice', async () => {
    const world = await worldWithPod();
    world.kube.after = ({ verb, kind }) => {
      if (verb === 'create' && kind === 'PodSnapshotContent') throw new Crash('dead');
    };
    await expect(world.rest()).rejects.toThrow('dead');
    world.kube.after = () => {};
    const uid = world.contents.list()[0]?.metadata.uid;
    world.restart();
    await world.rest();
    expect(world.contents.list()).toHaveLength(1);
    expect(world.snapshot('one')?.status.boundSnapshotContentName).toBe(
      contentName(world.snapshot('one')?.metadata.uid ?? ''),
    );
    expect(world.contentOf('one')?.metadata.uid).toBe(uid);
  });

  it('that turns out to be another snapshot’s after the binding fails the snapshot with ContentConflict', async () => {
    const world = await worldWithPod();
    await world.rest();
    const name = world.contentOf('one')?.metadata.name ?? '';
    await change(world, kinds.podSnapshotContent, name, {
      spec: { snapshotRef: { uid: 'somebody' } },
    });
    await world.rest();
    expect(failedReason(world)).toBe('ContentConflict');
  });

  it('is not given up because the pod cannot be read: that is no verdict', async () => {
    const world = await worldWithPod();
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'get' && kind === 'Pod') throw new Failure('retry', 'InternalError', '500');
    };
    await world.pass(30);
    expect(failedReason(world)).toBeUndefined();
    world.kube.before = () => {};
    await world.rest();
    expect(world.contentOf('one')).toBeDefined();
  });
});

describe('the status of a snapshot', () => {
  it('is not written while nothing changes, however often it is looked at', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, capturedStatus);
    await world.rest();
    const writes = world.kube.writes.length;
    for (let round = 0; round < 5; round += 1) await world.round();
    world.restart();
    await world.rest();
    expect(world.kube.writes.length).toBe(writes);
  });

  it('stays Ready when its content forgets an end without saying why', async () => {
    const world = await worldWithPod();
    await world.rest();
    await agentsAct(world);
    await world.rest();
    await orderStatus(world, { stage: 'Pending', conditions: [] });
    await world.rest();
    expect(isTrue(world.snapshot('one')?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it('is Ready no more when the bytes are found damaged or gone, with the reason', async () => {
    for (const reason of ['ArtifactCorrupt', 'ArtifactLost']) {
      const world = await worldWithPod();
      await world.rest();
      await agentsAct(world);
      await world.rest();
      await orderStatus(world, failedStatus(reason, 'A blob is missing.'));
      await world.rest();
      const ready = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Ready');
      expect(ready).toMatchObject({ status: 'False', reason });
    }
  });

  it('once Failed is left alone, whatever its content says afterwards', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, failedStatus('CheckpointFailed', 'no'));
    await world.rest();
    await orderStatus(world, capturedStatus);
    await world.pass(20);
    expect(failedReason(world)).toBe('CheckpointFailed');
    expect(isTrue(world.snapshot('one')?.status.conditions ?? [], 'Ready')).toBe(false);
  });

  it('is written again after a conflict: an end is not lost to somebody else’s write', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, failedStatus('CheckpointFailed', 'no'));
    let conflicts = 3;
    world.kube.before = ({ verb, kind }) => {
      if (verb !== 'patch-status' || kind !== 'PodSnapshot' || conflicts === 0) return;
      conflicts -= 1;
      throw new Failure('conflict', 'Conflict', 'the object has been modified');
    };
    await world.rest();
    expect(failedReason(world)).toBe('CheckpointFailed');
  });

  it('says which version of the spec it is about', async () => {
    const world = await worldWithPod();
    await world.rest();
    const { metadata, status } = world.snapshot('one') ?? {};
    expect(status?.observedGeneration).toBe(metadata?.generation);
  });
});

describe('a snapshot that is deleted', () => {
  it('goes at once where no content was ever made', async () => {
    const world = new World();
    await world.create(kinds.pod, podObject('web', {}));
    const metadata = { name: 'one', namespace: 'default', finalizers: [finalizers.snapshot] };
    await world.create(kinds.podSnapshot, {
      ...snapshotManifest('one', { name: 'web' }),
      metadata,
    });
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('is not touched where the finalizer is somebody else’s', async () => {
    const world = new World();
    const metadata = { name: 'one', namespace: 'default', finalizers: ['example.com/other'] };
    await world.create(kinds.podSnapshot, {
      ...snapshotManifest('one', { name: 'web' }),
      metadata,
    });
    await world.remove(kinds.podSnapshot, 'default', 'one');
    const writes = world.kube.writes.length;
    await world.rest();
    expect(world.kube.writes.length).toBe(writes);
    expect(world.snapshot('one')?.metadata.finalizers).toEqual(['example.com/other']);
  });

  it('twice ends like one that is deleted once', async () => {
    const world = await worldWithPod();
    await world.rest();
    for (let times = 0; times < 2; times += 1) {
      await world.remove(kinds.podSnapshot, 'default', 'one');
      await world.rest();
    }
    await agentsAct(world);
    await world.rest();
    expect(world.contents.list()).toEqual([]);
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('and made again under its name gets an order of its own', async () => {
    const world = await worldWithPod();
    await world.rest();
    const first = world.snapshot('one')?.metadata.uid ?? '';
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    await agentsAct(world);
    await world.rest();
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    await world.rest();
    const second = world.snapshot('one')?.metadata.uid ?? '';
    expect(second).not.toBe(first);
    expect(world.contents.list().map(({ metadata }) => metadata.name)).toEqual([
      contentName(second),
    ]);
  });
});
