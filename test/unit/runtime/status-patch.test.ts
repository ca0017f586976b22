import { beforeEach, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { identityOf, recordAt } from '../../../runtime/raw-object.ts';
import { mutateStatus, patchObject, patchStatus } from '../../../runtime/status-patch.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

const never = new AbortController().signal;
const key = { kind: kinds.podSnapshot, namespace: 'default', name: 'one' };
let kube: MemoryKube;
let resourceVersion: string;

beforeEach(async () => {
  kube = new MemoryKube();
  const metadata = { namespace: 'default', name: 'one' };
  const created = await kube.create(key.kind, { metadata, spec: {} }, { dryRun: false }, never);
  resourceVersion = identityOf(created).resourceVersion;
});

const disturb = () =>
  patchStatus(kube, key, identityOf(kube.peek(key) ?? {}), { attempts: Math.random() }, never);
const stored = () => recordAt(kube.peek(key) ?? {}, 'status');

it('writes on the version read, and not on a later one', async () => {
  await patchStatus(kube, key, { resourceVersion }, { stage: 'Freezing' }, never);
  expect(stored()).toEqual({ stage: 'Freezing' });
  const late = patchStatus(kube, key, { resourceVersion }, { stage: 'Captured' }, never);
  await expect(late).rejects.toMatchObject({ kind: 'conflict' });
});

it('refuses to write without a version', () => {
  expect(() => patchStatus(kube, key, { resourceVersion: '' }, {}, never)).toThrow(
    /without a version/,
  );
});

it('keeps the caller’s metadata in a patch of the object', async () => {
  const body = { metadata: { labels: { a: 'b' } } };
  const patched = await patchObject(kube, key, { resourceVersion }, body, never);
  expect(recordAt(patched, 'metadata').labels).toEqual({ a: 'b' });
});

it('decides anew on a fresh read after a conflict', async () => {
  let disturbances = 2;
  const seen: string[] = [];
  kube.before = async (call) => {
    if (call.verb !== 'patch-status' || disturbances === 0) return;
    disturbances -= 1;
    const hook = kube.before;
    kube.before = () => {};
    await disturb();
    kube.before = hook;
  };
  const change = (fresh: Parameters<typeof identityOf>[0]) => {
    seen.push(identityOf(fresh).resourceVersion);
    return { stage: 'Captured' };
  };
  await mutateStatus(kube, key, change, { attempts: 3 }, never);
  expect(new Set(seen).size).toBe(3);
  expect(stored()).toMatchObject({ stage: 'Captured' });
});

it('gives up after its attempts', async () => {
  kube.before = async (call) => {
    if (call.verb !== 'patch-status') return;
    const hook = kube.before;
    kube.before = () => {};
    await disturb();
    kube.before = hook;
  };
  const mutating = mutateStatus(kube, key, () => ({ stage: 'Captured' }), { attempts: 2 }, never);
  await expect(mutating).rejects.toMatchObject({ kind: 'conflict' });
});

it('writes nothing when there is nothing to change', async () => {
  const writes = kube.writes.length;
  await mutateStatus(kube, key, () => undefined, { attempts: 2 }, never);
  expect(kube.writes).toHaveLength(writes);
});
