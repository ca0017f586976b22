import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../../core/api/conditions.ts';
import { Failure } from '../../../../core/failure.ts';
import { bothOf, containerStatus, sideStatus, World } from './support/world.ts';

describe('an order that cannot be carried out', () => {
  let world = new World();
  beforeEach(async () => {
    world = new World();
    await world.startAgent();
  });
  afterEach(() => world.close());

  const message = (): string =>
    findCondition(world.content().status.conditions, 'Failed')?.message ?? '';
  const expectEnd = async (reason: string): Promise<void> => {
    await world.until(reason, () => world.content().status.stage === 'Failed');
    await world.clock.advance(2000);
    expect(world.end()).toBe(reason);
    expect(world.node.trace.violations()).toEqual([]);
    expect(world.node.journal.size).toBe(0);
    expect(world.node.staging.size).toBe(0);
    expect(world.node.references.size).toBe(0);
    expect(world.node.frozen).toBe(false);
  };

  it('fails as SourcePodNotFound when the pod does not exist', async () => {
    await world.createContent('no-such-uid');
    await expectEnd('SourcePodNotFound');
    expect(message()).toContain('the source was not touched');
  });

  it('fails as StalePodReference when another pod stands under the name', async () => {
    await world.createPod();
    await world.createContent('an-older-uid');
    await expectEnd('StalePodReference');
  });

  it('fails as InvalidTargetContainer and names the containers there are', async () => {
    const uid = await world.createPod();
    const podRef = { name: 'counter', uid, containers: ['nope'] };
    await world.createContent(uid, { source: { nodeName: 'node-a', podRef } });
    await expectEnd('InvalidTargetContainer');
    expect(message()).toContain('nope');
    expect(message()).toContain('main');
  });

  it('says that it waits for readiness, and fails as SourcePodGone when the pod goes', async () => {
    const uid = await world.createPod({ containerStatuses: [containerStatus({ ready: false })] });
    await world.createContent(uid);
    await world.until('the wait to be shown', () => world.content().status.stage === 'Waiting');
    const progressing = findCondition(world.content().status.conditions, 'Progressing');
    expect(progressing).toMatchObject({ status: 'True', reason: 'WaitingForPodReady' });
    await world.deletePod();
    await expectEnd('SourcePodGone');
  });

  it('captures a container that is not Ready when told not to wait', async () => {
    const uid = await world.createPod({ containerStatuses: [containerStatus({ ready: false })] });
    await world.createContent(uid, { waitForReady: false });
    await world.until('the end', () => world.end() === 'Captured');
  });

  it('fails as CheckpointContainerFailed when the container ends while it is waited for', async () => {
    const uid = await world.createPod({ containerStatuses: [containerStatus({ ready: false })] });
    await world.createContent(uid);
    await world.clock.advance(500);
    const state = { terminated: { exitCode: 3, reason: 'Error' } };
    await world.setPodStatus({ containerStatuses: [containerStatus({ ready: false, state })] });
    await expectEnd('CheckpointContainerFailed');
    expect(message()).toContain('exit code 3');
  });

  it('fails as ContainerChanged when the container is restarted while it is waited for', async () => {
    const uid = await world.createPod({ containerStatuses: [containerStatus({ ready: false })] });
    await world.createContent(uid);
    await world.clock.advance(500);
    const restarted = { restartCount: 1, containerID: `containerd://${'b'.repeat(64)}` };
    await world.setPodStatus({ containerStatuses: [containerStatus(restarted)] });
    await expectEnd('ContainerChanged');
  });

  it('of several containers is lost with any of them, and waits for all of them', async () => {
    const notReady = [containerStatus(), sideStatus({ ready: false })];
    const uid = await world.createPod({ containerStatuses: notReady });
    await world.createContent(uid, bothOf(uid));
    await world.until('the wait to be shown', () => world.content().status.stage === 'Waiting');
    const progressing = findCondition(world.content().status.conditions, 'Progressing');
    expect(progressing?.message).toBe('container side is not Ready yet');
    const restarted = { restartCount: 1, containerID: `containerd://${'b'.repeat(64)}` };
    await world.setPodStatus({ containerStatuses: [containerStatus(), sideStatus(restarted)] });
    await expectEnd('ContainerChanged');
    expect(message()).toContain('container side was restarted');
  });

  it('tells every container of an order of several', async () => {
    const uid = await world.createPod();
    await world.createContent(uid, bothOf(uid));
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(1000);
    expect(world.node.sentinels).toMatchObject([
      { container: 'main', name: 'snapshot-complete' },
      { container: 'side', name: 'snapshot-complete' },
    ]);
  });

  it('lists every blocker of the preflight', async () => {
    world.node.blockers = [
      { check: 'ioUring', message: 'process 7 has an io_uring' },
      { check: 'space', message: 'staging is full' },
    ];
    await world.createContent(await world.createPod());
    await expectEnd('PreflightFailed');
    expect(message()).toContain('process 7 has an io_uring');
    expect(message()).toContain('staging is full');
    expect(world.node.dumps).toEqual([]);
  });

  it('refuses a pod whose processes cannot be told apart, with every namespace it shares', async () => {
    await world.createContent(await world.createPod({}, {}, { hostPID: true, hostNetwork: true }));
    await expectEnd('PreflightFailed');
    expect(message()).toMatch(/uses hostPID: .*uses hostNetwork: /);
    expect(world.node.dumps).toEqual([]);
  });

  it('refuses a freeze that a liveness probe would not live through', async () => {
    world.node.estimatedBytes = 8 * 2 ** 30;
    const livenessProbe = { httpGet: { path: '/', port: 80 }, failureThreshold: 2 };
    const containers = [{ name: 'main', image: 'counter:1', livenessProbe }];
    await world.createContent(await world.createPod({}, {}, { containers }));
    await expectEnd('PreflightFailed');
    expect(message()).toMatch(/livenessProbe: .*container main restarts it after 11.0 s/);
    expect(world.node.dumps).toEqual([]);
  });

  it('fails as CheckpointFailed with what CRIU said, and the source runs', async () => {
    world.node.dumpTrouble = new Failure('terminal', 'CheckpointFailed', 'Error (x.c:1): no');
    await world.createContent(await world.createPod());
    await expectEnd('CheckpointFailed');
    expect(message()).toContain('Error (x.c:1): no; the source runs on');
    expect(world.node.dumps.length).toBe(1);
    expect(world.node.sentinels.at(-1)?.text).toContain('CheckpointFailed');
  });

  it('tells that the pod went away rather than how CRIU failed on it', async () => {
    world.node.dumpTrouble = new Failure('terminal', 'CheckpointFailed', 'no such process');
    await world.createContent(await world.createPod());
    await world.until('the dump', () => world.node.dumps.length === 1);
    await world.deletePod();
    await expectEnd('SourcePodGone');
  });

  const ended = new Failure(
    'terminal',
    'ContainerChanged',
    'the dump failed; the source has ended',
  );

  it('waits for the kubelet to say how a source ended that was killed in the middle of its dump', async () => {
    world.node.dumpTrouble = ended;
    await world.createContent(await world.createPod());
    await world.until('the dump', () => world.node.dumps.length === 1);
    await world.clock.advance(1500);
    const state = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
    await world.setPodStatus({ containerStatuses: [containerStatus({ ready: false, state })] });
    await expectEnd('CheckpointContainerFailed');
    expect(message()).toContain('exit code 137 (OOMKilled)');
    expect(message()).not.toContain('the source runs on');
    expect(world.node.dumps.length).toBe(1);
  });

  it('says that the source has ended, and not that it runs, where the kubelet says nothing', async () => {
    world.node.dumpTrouble = ended;
    await world.createContent(await world.createPod());
    await expectEnd('ContainerChanged');
    expect(message()).toContain('the source has ended');
    expect(world.content().status.sourceState).toBe('Unknown');
  });

  it('outlives a store that fails for a while', async () => {
    const full = new Failure('retry', 'StorageFull', 'no space left');
    world.node.storeTrouble.push(full, full, full);
    await world.createContent(await world.createPod());
    await world.until('the end', () => world.end() === 'Captured');
  });

  it('fails as StorageError before the freeze when the store takes no writes', async () => {
    const trouble = new Failure('retry', 'StorageError', 'read-only file system');
    world.node.storeTrouble.push(...Array.from({ length: 5 }, () => trouble));
    await world.createContent(await world.createPod());
    await expectEnd('StorageError');
    expect(message()).toContain('read-only file system; the source was not touched');
    expect(world.node.dumps).toEqual([]);
  });

  it('fails as Cancelled at every stage, with nothing left behind', async () => {
    for (const afterMilliseconds of [5, 100, 230, 300, 400, 520]) {
      const name = `cancel-${afterMilliseconds}`;
      const podUID = await podUIDOf(world);
      await world.createContent(podUID, {}, name);
      await world.clock.advance(afterMilliseconds);
      await world.patchContent({ spec: { cancel: true } }, name);
      await world.until('the end', () => world.content(name).status.stage === 'Failed');
      await world.clock.advance(2000);
      expect(world.end(name)).toBe('Cancelled');
      expect(world.node.references.size).toBe(0);
      expect(world.node.journal.size).toBe(0);
      expect(world.node.staging.size).toBe(0);
      expect(world.node.frozen).toBe(false);
    }
  });

  it('fails as DeadlineExceeded in the hold and thaws the source', async () => {
    world.node.dumpMilliseconds = 5000;
    await world.createContent(await world.createPod(), { deadlineSeconds: 3 });
    await expectEnd('DeadlineExceeded');
    expect(message()).toContain('the source runs on');
  });

  it('does not take a jump of the wall clock of the node for a deadline', async () => {
    world.node.dumpMilliseconds = 2000;
    await world.createContent(await world.createPod());
    await world.clock.advance(500);
    world.clock.jumpWall(-3600_000);
    await world.until('the end', () => world.end() === 'Captured');
  });
});

async function podUIDOf(world: World): Promise<string> {
  const metadata = world.pod()?.metadata;
  if (typeof metadata === 'object' && metadata !== null && 'uid' in metadata) {
    return String(metadata.uid);
  }
  return world.createPod();
}
