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
import { World } from '../support/world.ts';

describe('a snapshot of a running pod', () => {
  it('becomes a work order for the node of the pod, and is bound to it', async () => {
    const world = await worldWithPod({ deadlineSeconds: 90 });
    await world.rest();
    const snapshot = world.snapshot('one');
    const content = world.contentOf('one');
    expect(content?.metadata.name).toBe(contentName(snapshot?.metadata.uid ?? ''));
    expect(content?.metadata.labels[labels.node]).toBe('node-a');
    expect(content?.metadata.finalizers).toEqual([finalizers.content]);
    expect(content?.spec.deadlineSeconds).toBe(90);
    expect(content?.spec.source.podRef?.uid).toBe(world.pods.list()[0]?.metadata.uid);
    expect(snapshot?.metadata.finalizers).toEqual([finalizers.snapshot]);
    expect(snapshot?.status.boundSnapshotContentName).toBe(content?.metadata.name);
    expect(findCondition(snapshot?.status.conditions ?? [], 'Ready')?.reason).toBe('Pending');
  });

  it('keeps in the order the template that a restore needs, without the node and the injected token', async () => {
    const world = await worldWithPod();
    await world.rest();
    expect(world.contentOf('one')?.spec.source.template).toEqual({
      metadata: { labels: {}, annotations: {} },
      spec: { containers: [{ name: 'main', image: 'sample', volumeMounts: [] }], volumes: [] },
    });
  });

  it('is Ready when its order is, with the figures of the order', async () => {
    const world = await worldWithPod();
    await world.rest();
    await agentsAct(world);
    await world.rest();
    const status = world.snapshot('one')?.status;
    expect(isTrue(status?.conditions ?? [], 'Ready')).toBe(true);
    expect(status).toMatchObject({
      stage: 'Captured',
      freezeMilliseconds: 120,
      artifact: { storedBytes: 8 },
    });
  });

  it('asks the API server for nothing but the pod before its order is made, while its finalizer is put on', async () => {
    const world = await worldWithPod();
    const before = world.kube.calls.length;
    await world.rest();
    const calls = world.kube.calls.slice(before).map(({ verb, kind }) => `${verb} ${kind}`);
    expect(calls.slice(0, 4)).toEqual([
      'patch PodSnapshot',
      'get Pod',
      'create PodSnapshotContent',
      'patch-status PodSnapshot',
    ]);
  });

  it('whose order was made though the answer was lost is bound to it', async () => {
    const world = await worldWithPod();
    world.kube.after = (call) => {
      if (call.verb !== 'create' || call.kind !== 'PodSnapshotContent') return;
      world.kube.after = () => {};
      throw new Failure('retry', 'ConnectionFailed', 'cut');
    };
    await world.rest();
    expect(world.snapshot('one')?.status.boundSnapshotContentName).toBe(
      world.contentOf('one')?.metadata.name,
    );
  });

  it('costs the controller three writes up to Ready when the finalizer came with the create', async () => {
    const world = new World();
    await world.create(kinds.pod, podObject('web', { node: 'node-a' }));
    const manifest = snapshotManifest('one', { name: 'web' });
    const metadata = { name: 'one', namespace: 'default', finalizers: [finalizers.snapshot] };
    await world.create(kinds.podSnapshot, { ...manifest, metadata });
    const before = world.kube.writes.length;
    await world.rest();
    // Stages that fly by are not mirrored one by one.
    await orderStatus(world, { stage: 'Freezing' });
    await world.rest();
    const agents = world.kube.writes.length;
    await agentsAct(world);
    await orderStatus(world, capturedStatus);
    const agentWrites = 1 + world.kube.writes.length - agents;
    await world.rest();
    const verbs = world.kube.writes.slice(before).map(({ verb, kind }) => `${verb} ${kind}`);
    expect(verbs).toHaveLength(3 + agentWrites);
    expect(verbs[0]).toBe('create PodSnapshotContent');
    expect(verbs[1]).toBe('patch-status PodSnapshot');
    expect(verbs.at(-1)).toBe('patch-status PodSnapshot');
  });

  it('shows the stage of an order that lasts', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.clock.advance(1_500);
    const progressing = {
      type: 'Progressing',
      status: 'True',
      reason: 'WaitingForPodReady',
      message: 'main',
    };
    await orderStatus(world, { stage: 'Waiting', conditions: [progressing] });
    await world.rest();
    expect(world.snapshot('one')?.status.stage).toBe('Waiting');
    const shown = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Progressing');
    expect(shown?.reason).toBe('WaitingForPodReady');
  });

  it('fails with the reason and the message of its order', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, failedStatus('PreflightFailed', 'io_uring. The source is running.'));
    await world.rest();
    const failed = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Failed');
    expect(failed).toMatchObject({ status: 'True', reason: 'PreflightFailed' });
    expect(failed?.message).toContain('io_uring');
  });
});

describe('a snapshot whose pod cannot be captured', () => {
  it('fails with SourcePodNotFound when there is no such pod', async () => {
    const world = new World();
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'absent' }));
    await world.rest();
    expect(failedReason(world)).toBe('SourcePodNotFound');
    expect(world.contents.list()).toEqual([]);
    expect(world.events.map(({ reason }) => reason)).toEqual(['SourcePodNotFound']);
  });

  it('fails with StalePodReference when the UID is another, even of a pod without a node', async () => {
    const world = new World();
    await world.create(kinds.pod, podObject('web', {}));
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web', uid: 'other' }));
    await world.rest();
    expect(failedReason(world)).toBe('StalePodReference');
  });

  it('fails with InvalidTargetContainer when the pod has no such container, and names those it has', async () => {
    const world = new World();
    await world.create(
      kinds.pod,
      podObject('web', { node: 'node-a', containers: ['app', 'side'] }),
    );
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    await world.rest();
    const failed = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Failed');
    expect(failed?.reason).toBe('InvalidTargetContainer');
    expect(failed?.message).toContain('app, side');
  });

  it('waits for a pod without a node, says so once, and goes on when it is placed', async () => {
    const world = new World();
    const pod = await world.create(kinds.pod, podObject('web', {}));
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    await world.pass(30);
    const waiting = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Progressing');
    expect(waiting?.reason).toBe('WaitingForSchedule');
    expect(world.kube.writes.filter(({ verb }) => verb === 'patch-status')).toHaveLength(1);
    await change(world, kinds.pod, 'web', { spec: { nodeName: 'node-b' } });
    await world.rest();
    expect(pod).toBeDefined();
    expect(world.contentOf('one')?.spec.source.nodeName).toBe('node-b');
  });

  it('fails with ContentConflict when a content of its name belongs to somebody else', async () => {
    const world = await worldWithPod();
    const uid = world.snapshot('one')?.metadata.uid ?? '';
    await world.create(kinds.podSnapshotContent, {
      metadata: { name: contentName(uid) },
      spec: {
        snapshotRef: { namespace: 'default', name: 'two', uid: 'other' },
        source: { podRef: { name: 'web', uid: 'x', containers: ['main'] }, nodeName: 'node-a' },
      },
    });
    await world.rest();
    expect(failedReason(world)).toBe('ContentConflict');
  });
});
