import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { providedStep } from '../../../../agent/order/provided.ts';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { finalizers, labels } from '../../../../core/api/names.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../../core/api/pod-snapshot-content.ts';
import { Failure } from '../../../../core/failure.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { World } from './support/world.ts';

const never = new AbortController().signal;
const digest = `sha256:${'c'.repeat(64)}`;
const key = { kind: kinds.podSnapshotContent, namespace: '', name: 'imported' };

function provided(
  node: string | undefined,
  { metadata = {}, spec = {} }: { readonly metadata?: RawObject; readonly spec?: RawObject } = {},
): RawObject {
  return {
    metadata: {
      name: 'imported',
      labels: node === undefined ? {} : { [labels.node]: node },
      finalizers: [finalizers.content],
      ...metadata,
    },
    spec: {
      snapshotRef: { namespace: 'default', name: 'imported' },
      source: { artifact: { store: 'memory', digest } },
      ...spec,
    },
  };
}

describe('a content for an artifact that exists already', () => {
  let world = new World();
  beforeEach(async () => {
    world = new World();
    world.node.references.set('elsewhere', {
      ...{ digest, sizeBytes: 100, storedBytes: 50, store: 'memory' },
    });
    await world.startAgent();
  });
  afterEach(() => world.close());

  const create = (object: RawObject) =>
    world.kube.create(kinds.podSnapshotContent, object, { dryRun: false }, never);
  const content = (): PodSnapshotContent => {
    const parsed = parsePodSnapshotContent(world.kube.peek(key));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const ready = () => findCondition(content().status.conditions, 'Ready');
  const statusWrites = () =>
    world.kube.writes.filter(({ verb, name }) => verb === 'patch-status' && name === 'imported');

  it('is Ready when the store has it, with its figures and a reference of its own', async () => {
    await create(provided('node-a'));
    await world.clock.advance(1000);
    expect(ready()).toMatchObject({ status: 'True', reason: 'Captured' });
    expect(content().status).toMatchObject({
      ...{ stage: 'Captured', nodeName: 'node-a' },
      artifact: { digest, storedBytes: 50, store: 'memory' },
      // What a restore asks of a node is what was captured, not what it lies on now.
      source: { node: { name: 'far', architecture: 'amd64', kernelVersion: '6.1.0' } },
    });
    expect(world.node.references.get(content().metadata.uid)?.digest).toBe(digest);
    expect(statusWrites()).toHaveLength(2);
  });

  it('is Failed with ArtifactLost when the store has none of that digest, or is another store', async () => {
    for (const artifact of [
      { store: 'memory', digest: `sha256:${'0'.repeat(64)}` },
      { store: 'other', digest },
    ]) {
      await create(provided('node-a', { spec: { source: { artifact } } }));
      await world.clock.advance(1000);
      const failed = findCondition(content().status.conditions, 'Failed');
      expect(failed).toMatchObject({ status: 'True', reason: 'ArtifactLost' });
      await world.kube.patch(
        key,
        '',
        { type: 'merge', body: { metadata: { finalizers: [] } } },
        never,
      );
      await world.kube.delete(key, {}, never);
      await world.clock.advance(1000);
    }
  });

  it('waits for a store that is away, says so, and is Ready when it is back', async () => {
    for (let times = 0; times < 3; times += 1) {
      world.node.storeTrouble.push(new Failure('retry', 'StorageError', 'the store is away'));
    }
    await create(provided('node-a'));
    await world.clock.advance(5);
    const progressing = findCondition(content().status.conditions, 'Progressing');
    expect(progressing).toMatchObject({ status: 'True', reason: 'Preparing' });
    expect(progressing?.message).toContain('the store is away');
    await world.clock.advance(60_000);
    expect(ready()?.status).toBe('True');
    expect(statusWrites()).toHaveLength(3);
  });

  it('is left alone by an agent that it was not given to', async () => {
    await create(provided('node-b'));
    await world.clock.advance(5000);
    expect(statusWrites()).toEqual([]);
  });

  it('that is deleted gives its reference back, and with Retain keeps it', async () => {
    for (const deletionPolicy of ['Delete', 'Retain']) {
      await create(
        provided('node-a', { spec: { ...(provided('').spec as RawObject), deletionPolicy } }),
      );
      await world.clock.advance(1000);
      const { uid } = content().metadata;
      await world.kube.delete(key, {}, never);
      await world.clock.advance(1000);
      expect(isTrue(content().status.conditions, 'ArtifactDeleted')).toBe(true);
      expect(world.node.references.has(uid)).toBe(deletionPolicy === 'Retain');
      await world.kube.patch(
        key,
        '',
        { type: 'merge', body: { metadata: { finalizers: [] } } },
        never,
      );
      await world.clock.advance(1000);
    }
  });

  it('ends in the same state wherever an agent is killed on the way', async () => {
    world.close();
    for (let effects = 0; effects < 6; effects += 1) {
      const each = new World();
      each.node.references.set('elsewhere', {
        ...{ digest, sizeBytes: 100, storedBytes: 50, store: 'memory' },
      });
      await each.startAgent(effects);
      await each.kube.create(
        kinds.podSnapshotContent,
        provided('node-a'),
        { dryRun: false },
        never,
      );
      await each.clock.advance(1000);
      each.life?.kill();
      await each.startAgent();
      await each.clock.advance(5000);
      const parsed = parsePodSnapshotContent(each.kube.peek(key));
      expect(parsed.ok && isTrue(parsed.value.status.conditions, 'Ready')).toBe(true);
      expect([...each.node.references.keys()]).toHaveLength(2);
      each.close();
    }
  });
});

describe('the step for such a content', () => {
  const step = (object: RawObject, status: RawObject = {}, deleting = false): string => {
    const { metadata, spec } = object as { readonly metadata: RawObject; readonly spec: RawObject };
    const deleted = deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
    const parsed = parsePodSnapshotContent({ metadata: { ...metadata, ...deleted }, spec, status });
    if (!parsed.ok) throw new Error(parsed.message);
    return providedStep(parsed.value, 'node-a');
  };
  const condition = (type: string) => ({ type, status: 'True', reason: 'Captured', message: '' });

  it('is taken only by the agent whose node its label names', () => {
    expect(step(provided('node-b'))).toBe('leave');
    expect(step(provided(undefined))).toBe('leave');
    expect(step(provided('node-a'))).toBe('announce');
  });

  it('writes into the store only after the status says that somebody has begun', () => {
    expect(step(provided('node-a'), { startedAt: '2026-01-01T00:00:00Z' })).toBe('look');
  });

  it('is over once the content is Ready, Failed or has its bytes deleted', () => {
    for (const type of ['Ready', 'Failed']) {
      expect(step(provided('node-a'), { conditions: [condition(type)] })).toBe('leave');
      expect(step(provided('node-a'), { conditions: [condition(type)] }, true)).toBe('delete');
    }
    const gone = { conditions: [condition('ArtifactDeleted')] };
    expect(step(provided('node-a'), gone, true)).toBe('leave');
    const unguarded = provided('node-a', { metadata: { finalizers: [], labels: {} } });
    expect(step(unguarded, {}, true)).toBe('leave');
  });

  it('ends one that is cancelled', () => {
    const spec = { ...(provided('node-a').spec as RawObject), cancel: true };
    expect(step(provided('node-a', { spec }))).toBe('end');
  });
});
