import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { annotations, finalizers, labels } from '../../../../core/api/names.ts';
import { placeholderProblems } from '../../../../core/api/restore.ts';
import { parsePod } from '../../../../core/api/workload.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import { beat, snapshotManifest } from '../support/cluster.ts';
import {
  agentSays,
  inShort,
  livePods,
  messageOf,
  nodeObject,
  podRestoreManifest,
  restorePod,
  restoring,
  uidOf,
  worldWithSnapshot,
} from '../support/one-pod-restore.ts';

describe('a PodRestore', () => {
  it('becomes a placeholder of the captured pod, marked, pinned and not owned', async () => {
    const world = await restoring({ maxAttempts: 2 });
    const pod = restorePod(world);
    const parsed = parsePod(pod);
    const restore = world.podRestore('again');
    expect(parsed.ok && placeholderProblems(parsed.value, ['main'])).toEqual([]);
    expect(pod?.metadata).toMatchObject({
      labels: { [labels.restoreUID]: restore?.metadata.uid },
      annotations: {
        [annotations.restoreFrom]: 'counter',
        [annotations.restoreFromUID]: world.snapshot('counter')?.metadata.uid,
        [annotations.restoreName]: 'again',
        [annotations.restoreMaximumAttempts]: '2',
        [annotations.targetContainers]: 'main',
      },
    });
    expect(recordAt(pod ?? {}, 'metadata').ownerReferences).toBeUndefined();
    expect(restore?.metadata.finalizers).toEqual([finalizers.restore]);
    expect(restore?.status).toMatchObject({
      phase: 'Scheduling',
      podName: 'again',
      podUID: uidOf(pod),
      snapshotUID: world.snapshot('counter')?.metadata.uid,
      candidates: [
        { node: 'node-a', fits: true },
        { node: 'node-b', fits: true },
      ],
    });
    expect(inShort(world)).toEqual({
      Restored: 'False/RestoreInProgress',
      Ready: 'False/Pending',
      Progressing: 'True/WaitingForSchedule',
    });
  });

  it('is Restored when the agent says so, with its figures, and costs four writes', async () => {
    const world = await restoring();
    await agentSays(world, {
      reason: 'RestoreSucceeded',
      message: 'restored in 80 ms',
      bytesFetched: 10,
      restoreMilliseconds: 80,
    });
    await world.rest();
    expect(world.podRestore('again')?.status).toMatchObject({
      phase: 'Restored',
      nodeName: 'node-b',
      attempts: 1,
      bytesFetched: 10,
      restoreMilliseconds: 80,
    });
    expect(inShort(world)).toEqual({
      Restored: 'True/RestoreSucceeded',
      Ready: 'True/RestoreSucceeded',
      Failed: 'False/RestoreSucceeded',
      Progressing: 'False/RestoreSucceeded',
    });
    const mine = world.kube.writes.filter(
      ({ kind, name }) => (kind === 'PodRestore' || kind === 'Pod') && name === 'again',
    );
    // The first creates it, and two are the scheduler's and the agent's.
    expect(mine.map(({ verb, kind }) => `${verb} ${kind}`)).toEqual([
      'create PodRestore',
      'patch PodRestore',
      'create Pod',
      'patch-status PodRestore',
      'patch Pod',
      'patch-status Pod',
      'patch-status PodRestore',
    ]);
    const told = world.events.filter(({ regarding }) => regarding.kind === 'PodRestore');
    expect(told.map(({ reason }) => reason)).toEqual(['PlaceholderCreated', 'RestoreSucceeded']);
  });

  it('says what it is at, once that lasts', async () => {
    const world = await restoring();
    await agentSays(world, { reason: 'RestoreInProgress', message: 'fetching', step: 'Fetching' });
    await world.rest();
    expect(world.podRestore('again')?.status.phase).toBe('Scheduling');
    await world.pass(10);
    expect(world.podRestore('again')?.status).toMatchObject({ phase: 'Fetching', attempts: 1 });
    await agentSays(world, { reason: 'RestoreInProgress', message: 'at it', step: 'Restoring' });
    await world.rest();
    expect(world.podRestore('again')?.status).toMatchObject({ phase: 'Restoring' });
    expect(inShort(world).Progressing).toBe('True/Restoring');
  });

  it('names its pod by the snapshot and its own UID where no name is asked for', async () => {
    const world = await worldWithSnapshot();
    await world.create(kinds.podRestore, {
      metadata: { name: 'unnamed', namespace: 'default' },
      spec: { snapshotName: 'counter' },
    });
    await world.rest();
    expect(world.podRestore('unnamed')?.status.podName).toMatch(/^counter-[0-9a-f]{8}$/);
  });

  it('waits for its snapshot, says so once, and goes on when that is Ready', async () => {
    const world = await restoring({ snapshotName: 'later' });
    expect(inShort(world).Progressing).toBe('True/WaitingForSnapshot');
    expect(messageOf(world, 'Progressing')).toBe('PodSnapshot later does not exist.');
    const before = world.kube.writes.length;
    await world.pass(60);
    expect(world.kube.writes.length).toBe(before);
    await world.create(kinds.podSnapshot, snapshotManifest('later', { name: 'nobody' }));
    await world.rest();
    expect(inShort(world).Failed).toBe('True/PodSnapshotFailed');
    expect(messageOf(world, 'Failed')).toContain('SourcePodNotFound');
    expect(livePods(world)).toEqual([]);
  });

  it('waits for a node that can take it, with the reasons of each, and goes on when one comes', async () => {
    const world = await restoring({ nodeSelector: { zone: 'far' } });
    expect(world.podRestore('again')?.status).toMatchObject({
      phase: 'Scheduling',
      candidates: [
        { node: 'node-a', fits: false, reason: 'its label zone is absent, asked for is far' },
        { node: 'node-b', fits: false },
      ],
    });
    expect(inShort(world).Progressing).toBe('True/WaitingForNode');
    const before = world.kube.writes.length;
    await world.pass(20);
    expect(world.kube.writes.length).toBe(before);
    const metadata = {
      name: 'node-c',
      labels: { zone: 'far', 'kubernetes.io/hostname': 'node-c' },
    };
    await world.create(kinds.node, { ...nodeObject('node-c'), metadata });
    await world.rest();
    expect(messageOf(world, 'Progressing')).toContain('no agent of Cryopod is heard there');
    expect(restorePod(world)).toBeUndefined();
    await beat(world, 'node-c', 'shared');
    await world.rest();
    expect(world.podRestore('again')?.status.podUID).toBe(uidOf(restorePod(world)));
    expect(recordAt(restorePod(world) ?? {}, 'spec')).toMatchObject({
      nodeSelector: { zone: 'far' },
    });
  });

  it('fails with what it waited for when its time is over', async () => {
    const world = await restoring({ snapshotName: 'later', deadlineSeconds: 30 });
    await world.pass(40);
    expect(inShort(world)).toMatchObject({ Failed: 'True/DeadlineExceeded' });
    expect(messageOf(world, 'Failed')).toBe(
      'Not restored within 30 s. PodSnapshot later does not exist.',
    );
  });

  it('whose pod is not restored in time removes it before it says so', async () => {
    const world = await restoring({ deadlineSeconds: 30 });
    await agentSays(world, { reason: 'RestoreInProgress', step: 'Fetching' });
    await world.pass(60);
    expect(inShort(world).Failed).toBe('True/DeadlineExceeded');
    expect(world.podRestore('again')?.status.phase).toBe('Failed');
    expect(restorePod(world)).toBeUndefined();
  });

  it('leaves the agent the attempts that it may make, and no more', async () => {
    const world = await restoring({ maxAttempts: 2 });
    await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 });
    await world.pass(20);
    expect(inShort(world).Progressing).toBe('True/WaitingForContainer');
    await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 2 });
    await world.rest();
    expect(inShort(world).Failed).toBe('True/RestoreFailed');
    expect(messageOf(world, 'Failed')).toBe('CRIU says no');
    expect(restorePod(world)).toBeUndefined();
  });

  it('makes the pod anew where its containers are not restarted, and counts on', async () => {
    const world = await restoring({ maxAttempts: 2 });
    const first = uidOf(restorePod(world));
    const fail = async () => {
      await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 });
      await world.status(kinds.pod, 'default', 'again', { phase: 'Failed' });
      await world.pass(20);
    };
    await fail();
    const second = restorePod(world);
    expect([uidOf(second) === first, uidOf(second)]).toEqual([
      false,
      world.podRestore('again')?.status.podUID,
    ]);
    expect(world.podRestore('again')?.status.attempts).toBe(1);
    expect(recordAt(recordAt(second ?? {}, 'metadata'), 'annotations')).toMatchObject({
      [annotations.restoreMaximumAttempts]: '1',
    });
    await fail();
    expect(inShort(world).Failed).toBe('True/RestoreFailed');
    expect(livePods(world)).toEqual([]);
  });

  it('counts a pod that was evicted before any agent came to it', async () => {
    const world = await restoring({ maxAttempts: 1 });
    await world.status(kinds.pod, 'default', 'again', { phase: 'Failed' });
    await world.pass(20);
    expect(messageOf(world, 'Failed')).toBe('Pod again ended (Failed) and was not restored.');
  });

  it('that no node can take for good fails with the words of the agent', async () => {
    const world = await restoring();
    await agentSays(world, { reason: 'RestoreIncompatible', message: 'mount /data is missing' });
    await world.rest();
    expect(inShort(world).Failed).toBe('True/RestoreIncompatible');
    expect(messageOf(world, 'Ready')).toBe('mount /data is missing');
  });

  it('fails when somebody deletes its pod under way', async () => {
    const world = await restoring();
    await world.remove(kinds.pod, 'default', 'again');
    await world.rest();
    expect(inShort(world).Failed).toBe('True/PodDeleted');
  });

  it('fails when its snapshot is deleted under way, unless the restore has begun', async () => {
    const begun = await restoring();
    await agentSays(begun, { reason: 'RestoreInProgress', step: 'Restoring' });
    await begun.remove(kinds.podSnapshot, 'default', 'counter');
    await begun.rest();
    expect(inShort(begun).Failed).toBeUndefined();
    await agentSays(begun, { reason: 'RestoreSucceeded' });
    await begun.rest();
    expect(inShort(begun).Restored).toBe('True/RestoreSucceeded');

    const world = await restoring();
    await world.remove(kinds.podSnapshot, 'default', 'counter');
    await world.rest();
    expect(inShort(world).Failed).toBe('True/PodSnapshotDeleted');
    expect(restorePod(world)).toBeUndefined();
  });

  it('fails in words when the pod of that name is somebody else’s, and leaves it alone', async () => {
    const world = await restoring();
    await world.create(kinds.podRestore, podRestoreManifest('second'));
    await world.rest();
    expect(inShort(world, 'second').Failed).toBe('True/PodNameConflict');
    expect(livePods(world)).toHaveLength(1);
    expect(uidOf(restorePod(world))).toBe(world.podRestore('again')?.status.podUID);
  });

  it('refuses overrides that would take something from the process, in words', async () => {
    const pod = {
      spec: {
        nodeName: 'node-a',
        containers: [{ name: 'main', image: 'sample', resources: { limits: { memory: '1Gi' } } }],
      },
    };
    const overrides = {
      env: [{ container: 'main', name: 'LEVEL', value: 'debug' }],
      resources: [{ container: 'main', limits: { memory: '512Mi' } }],
    };
    const world = await restoring({ overrides }, pod);
    expect(inShort(world).Failed).toBe('True/InvalidSpec');
    expect(messageOf(world, 'Failed')).toContain('keeps the environment that it had');
    expect(messageOf(world, 'Failed')).toContain('limits.memory 512Mi, less than the captured 1Gi');
    expect(livePods(world)).toEqual([]);
  });
});
