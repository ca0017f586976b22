import { describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { finalizers } from '../../../../core/api/names.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { agentsAct, beat, capturedStatus, failedStatus } from '../support/cluster.ts';
import { change, failedReason, worldWithPod } from '../support/one-snapshot.ts';
import { Crash, World } from '../support/world.ts';

const digest = `sha256:${'c'.repeat(64)}`;

const content = (spec: RawObject = {}): RawObject => ({
  metadata: { name: 'imported' },
  spec: {
    snapshotRef: { namespace: 'default', name: 'one' },
    source: { artifact: { store: 'dir', digest } },
    ...spec,
  },
});

const snapshot = (name = 'one', spec: RawObject = {}): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: { source: { contentName: 'imported' }, ...spec },
});

/** A content and the snapshot that names it, bound to each other; an agent of its store is heard. */
async function bound(contentSpec: RawObject = {}, snapshotSpec: RawObject = {}): Promise<World> {
  const world = new World();
  await beat(world, 'node-a', 'shared-1');
  await world.create(kinds.podSnapshotContent, content(contentSpec));
  await world.create(kinds.podSnapshot, snapshot('one', snapshotSpec));
  await world.rest();
  return world;
}

const imported = (world: World) => world.contents.get('imported');
const said = (world: World, status: RawObject): Promise<void> =>
  world.status(kinds.podSnapshotContent, '', 'imported', status);
const progressing = (world: World) =>
  findCondition(world.snapshot('one')?.status.conditions ?? [], 'Progressing');
const isReady = (world: World, name = 'one'): boolean =>
  isTrue(world.snapshot(name)?.status.conditions ?? [], 'Ready');

describe('a snapshot that names its content', () => {
  it('says that it waits for a content that is still to come, and binds it when it comes', async () => {
    const world = new World();
    await world.create(kinds.podSnapshot, snapshot());
    await world.pass(10);
    expect(progressing(world)).toMatchObject({ status: 'True', reason: 'WaitingForContent' });
    await world.create(kinds.podSnapshotContent, content());
    await world.rest();
    expect(world.snapshot('one')?.status.boundSnapshotContentName).toBe('imported');
  });

  it('and the content name each other by UID once they are bound', async () => {
    const world = await bound();
    const { metadata } = world.snapshot('one') ?? {};
    expect(imported(world)?.spec.snapshotRef.uid).toBe(metadata?.uid);
    expect(metadata?.finalizers).toEqual([finalizers.snapshot]);
  });

  it('is Ready only when an agent has said so of the content, with the figures of the artifact', async () => {
    const world = await bound();
    await world.pass(60);
    expect(isReady(world)).toBe(false);
    await said(world, capturedStatus);
    await world.rest();
    expect(isReady(world)).toBe(true);
    expect(world.snapshot('one')?.status.artifact).toMatchObject({ storedBytes: 8 });
  });

  it('fails as its content does when the store has no such artifact', async () => {
    const world = await bound();
    await said(world, failedStatus('ArtifactLost', 'The store has no artifact.'));
    await world.rest();
    expect(failedReason(world)).toBe('ArtifactLost');
  });

  it('says why nothing happens where no agent is known to serve the store', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, content());
    await world.create(kinds.podSnapshot, snapshot());
    await world.rest();
    await world.pass(20);
    expect(progressing(world)?.reason).toBe('WaitingForAgent');
    expect(progressing(world)?.message).toContain('store dir');
    expect(failedReason(world)).toBeUndefined();
  });

  it('past its deadline fails and leaves the content as it is: nothing has to be stopped', async () => {
    const world = await bound({}, { deadlineSeconds: 30 });
    await world.pass(40);
    expect(failedReason(world)).toBe('DeadlineExceeded');
    expect(imported(world)?.spec.cancel).toBe(false);
  });

  it('is Ready past its deadline when the content was Ready before, whatever a cache says', async () => {
    const world = await bound({}, { deadlineSeconds: 30 });
    world.contents.freeze();
    await said(world, capturedStatus);
    await world.clock.advance(31_000);
    await world.round();
    expect(isReady(world)).toBe(true);
  });

  it('fails with ContentConflict when the content is for another snapshot, or for a predecessor', async () => {
    for (const ref of [{ name: 'two' }, { name: 'one', uid: 'before' }]) {
      const world = await bound({ snapshotRef: { namespace: 'default', ...ref } });
      expect(failedReason(world)).toBe('ContentConflict');
    }
  });

  it('fails with ContentLost instead of binding a content that is being deleted', async () => {
    const world = new World();
    const dying = { ...content(), metadata: { name: 'imported', finalizers: ['other'] } };
    await world.create(kinds.podSnapshotContent, dying);
    await world.remove(kinds.podSnapshotContent, '', 'imported');
    await world.create(kinds.podSnapshot, snapshot());
    await world.rest();
    expect(failedReason(world)).toBe('ContentLost');
  });

  it('fails with ContentLost when the content is gone after it was Ready', async () => {
    const world = await bound();
    await said(world, capturedStatus);
    await world.rest();
    await change(world, kinds.podSnapshotContent, 'imported', { metadata: { finalizers: [] } });
    await world.remove(kinds.podSnapshotContent, '', 'imported');
    await world.rest();
    expect(failedReason(world)).toBe('ContentLost');
  });
});

describe('deleting a snapshot that named its content', () => {
  it('deletes the content with Delete, and the bytes with it', async () => {
    const world = await bound();
    await said(world, capturedStatus);
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(imported(world)?.metadata.deletionTimestamp).toBeDefined();
    await agentsAct(world);
    await world.rest();
    expect(imported(world)).toBeUndefined();
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('does not touch a content that it never claimed', async () => {
    const world = new World();
    await world.create(kinds.podSnapshot, snapshot());
    await world.rest();
    await change(world, kinds.podSnapshot, 'one', {
      metadata: { finalizers: [finalizers.snapshot] },
    });
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.create(kinds.podSnapshotContent, content());
    await world.rest();
    expect(world.snapshot('one')).toBeUndefined();
    expect(imported(world)?.metadata.deletionTimestamp).toBeUndefined();
    expect(imported(world)?.spec.snapshotRef.uid).toBeUndefined();
  });

  it('deletes a content that was claimed and not yet bound when the controller died', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, content());
    await world.create(kinds.podSnapshot, snapshot());
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'patch-status' && kind === 'PodSnapshot') throw new Crash('dead');
    };
    await expect(world.rest()).rejects.toThrow('dead');
    world.kube.before = () => {};
    expect(imported(world)?.spec.snapshotRef.uid).toBeDefined();
    world.restart();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(imported(world)).toBeUndefined();
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('releases the content with Retain, also one whose artifact was not found', async () => {
    for (const status of [capturedStatus, failedStatus('ArtifactLost', 'No.'), {}]) {
      const world = await bound({ deletionPolicy: 'Retain' });
      await said(world, status);
      await world.rest();
      await world.remove(kinds.podSnapshot, 'default', 'one');
      await world.rest();
      expect(world.snapshot('one')).toBeUndefined();
      expect(isTrue(imported(world)?.status.conditions ?? [], 'Released')).toBe(true);
    }
  });
});

describe('a released content', () => {
  /** A captured snapshot `one` with Retain, deleted: what is left is its content. */
  async function released(): Promise<{ readonly world: World; readonly name: string }> {
    const world = await worldWithPod({ deletionPolicy: 'Retain' });
    await world.rest();
    await agentsAct(world);
    await world.rest();
    const name = world.contentOf('one')?.metadata.name ?? '';
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    return { world, name };
  }

  const again = (contentName: string): RawObject => ({
    metadata: { name: 'again', namespace: 'default' },
    spec: { source: { contentName } },
  });

  it('is bound again by the snapshot that an administrator points it to, Ready at once and released no more', async () => {
    const { world, name } = await released();
    await change(world, kinds.podSnapshotContent, name, {
      spec: { snapshotRef: { name: 'again', uid: null } },
    });
    await world.create(kinds.podSnapshot, again(name));
    await world.rest();
    expect(isReady(world, 'again')).toBe(true);
    const { spec, status } = world.contents.get(name) ?? {};
    expect(spec?.snapshotRef).toMatchObject({
      name: 'again',
      uid: world.snapshot('again')?.metadata.uid,
    });
    expect(findCondition(status?.conditions ?? [], 'Released')).toMatchObject({
      status: 'False',
      reason: 'Bound',
    });
    expect(isTrue(status?.conditions ?? [], 'Ready')).toBe(true);
  });

  it('is nobody’s to take as long as it names the snapshot that was deleted', async () => {
    const { world, name } = await released();
    await world.create(kinds.podSnapshot, again(name));
    await world.rest();
    const failed = findCondition(world.snapshot('again')?.status.conditions ?? [], 'Failed');
    expect(failed?.reason).toBe('ContentConflict');
    expect(world.contents.get(name)?.metadata.deletionTimestamp).toBeUndefined();
  });

  it('goes with its bytes when the administrator deletes it', async () => {
    const { world, name } = await released();
    await change(world, kinds.podSnapshotContent, name, { spec: { deletionPolicy: 'Delete' } });
    await beat(world, 'node-a');
    await world.remove(kinds.podSnapshotContent, '', name);
    await world.rest();
    expect(world.contents.get(name)).toBeDefined();
    await agentsAct(world);
    await world.rest();
    expect(world.contents.list()).toEqual([]);
  });
});
