import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../../core/api/kinds.ts';
import { Failure } from '../../core/failure.ts';
import type { Kube, ObjectKey, RawObject, WatchEvent } from '../../runtime/kube-port.ts';
import { identityOf, recordAt } from '../../runtime/raw-object.ts';

/** What the suite runs against. `kube` may be shared; the namespace must exist and hold no Leases or PodSnapshots of others. */
export type KubeUnderTest = { readonly kube: Kube; readonly namespace: string };

const failureOf = async (promise: Promise<unknown>): Promise<string> => {
  const outcome = await promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
  return outcome instanceof Failure ? `${outcome.kind}/${outcome.reason}` : String(outcome);
};

/** The rules every `Kube` keeps, the fake and the real server alike. Leases stand for kinds without a status subresource, PodSnapshots for those with one. */
export function kubeContract(title: string, open: () => Promise<KubeUnderTest>): void {
  describe(`${title} as a Kube`, () => {
    let kube: Kube;
    let namespace: string;
    let counter = 0;
    let stop = new AbortController();
    const signal = (): AbortSignal => stop.signal;

    beforeEach(async () => {
      ({ kube, namespace } = await open());
      stop = new AbortController();
    });
    afterEach(() => stop.abort(new Error('the test is over')));

    const uniqueName = (): string => {
      counter += 1;
      return `case-${Date.now().toString(36)}-${counter}`;
    };
    const leaseKey = (name: string): ObjectKey => ({ kind: kinds.lease, namespace, name });
    const snapshotKey = (name: string): ObjectKey => ({ kind: kinds.podSnapshot, namespace, name });
    const createLease = (name: string, labels: Record<string, string> = {}): Promise<RawObject> =>
      kube.create(
        kinds.lease,
        {
          apiVersion: 'coordination.k8s.io/v1',
          kind: 'Lease',
          metadata: { name, namespace, labels },
          spec: { holderIdentity: 'one', leaseDurationSeconds: 30 },
        },
        { dryRun: false },
        signal(),
      );
    const createSnapshot = (name: string, finalizers: readonly string[] = []): Promise<RawObject> =>
      kube.create(
        kinds.podSnapshot,
        {
          apiVersion: 'nvidia.com/v1alpha1',
          kind: 'PodSnapshot',
          metadata: { name, namespace, finalizers },
          spec: { source: { podRef: { name: 'web', uid: 'u1', containers: ['main'] } } },
          status: { stage: 'Captured' },
        },
        { dryRun: false },
        signal(),
      );
    const metadata = (object: RawObject): RawObject => recordAt(object, 'metadata');
    const merge = (key: ObjectKey, body: RawObject, part: '' | 'status' = ''): Promise<RawObject> =>
      kube.patch(key, part, { type: 'merge', body }, signal());

    it('gives a created object its identity', async () => {
      const name = uniqueName();
      const created = await createLease(name);
      expect(identityOf(created)).toMatchObject({ name, namespace });
      expect(identityOf(created).uid).not.toBe('');
      expect(identityOf(created).resourceVersion).not.toBe('');
      expect(metadata(created).creationTimestamp).toMatch(/^\d{4}-.*Z$/);
      expect(identityOf(await kube.get(leaseKey(name), signal()))).toEqual(identityOf(created));
    });

    it('refuses to create what is there, and stores nothing in a dry run', async () => {
      const name = uniqueName();
      await createLease(name);
      expect(await failureOf(createLease(name))).toBe('conflict/AlreadyExists');
      const other = uniqueName();
      const body = { kind: 'Lease', metadata: { name: other, namespace }, spec: {} };
      await kube.create(kinds.lease, body, { dryRun: true }, signal());
      expect(await failureOf(kube.get(leaseKey(other), signal()))).toBe('gone/NotFound');
    });

    it('says gone for what is not there', async () => {
      const key = leaseKey(uniqueName());
      expect(await failureOf(kube.get(key, signal()))).toBe('gone/NotFound');
      expect(await failureOf(merge(key, { spec: {} }))).toBe('gone/NotFound');
      expect(await failureOf(kube.delete(key, {}, signal()))).toBe('gone/NotFound');
    });

    it('moves the resourceVersion on a change and only on a change', async () => {
      const name = uniqueName();
      const first = identityOf(await createLease(name));
      const same = identityOf(await merge(leaseKey(name), { spec: { holderIdentity: 'one' } }));
      expect(same.resourceVersion).toBe(first.resourceVersion);
      const moved = identityOf(await merge(leaseKey(name), { spec: { holderIdentity: 'two' } }));
      expect(moved.resourceVersion).not.toBe(first.resourceVersion);
    });

    it('refuses a patch that believes in an older version', async () => {
      const name = uniqueName();
      const { resourceVersion } = identityOf(await createLease(name));
      await merge(leaseKey(name), { spec: { holderIdentity: 'two' } });
      const stale = { metadata: { resourceVersion }, spec: { holderIdentity: 'three' } };
      expect(await failureOf(merge(leaseKey(name), stale))).toBe('conflict/Conflict');
    });

    it('refuses a patch that names another UID, but not one of the status', async () => {
      const name = uniqueName();
      await createLease(name);
      await createSnapshot(name);
      const stranger = { metadata: { uid: '6f1d2e5a-0000-4000-8000-000000000000' } };
      expect(await failureOf(merge(leaseKey(name), stranger))).toBe('conflict/Conflict');
      expect(await failureOf(merge(snapshotKey(name), stranger))).toBe('conflict/Conflict');
      const reported = { ...stranger, status: { stage: 'Freezing' } };
      const patched = await merge(snapshotKey(name), reported, 'status');
      expect(recordAt(patched, 'status').stage).toBe('Freezing');
      const stale = { metadata: { resourceVersion: '1' }, status: { stage: 'Publishing' } };
      expect(await failureOf(merge(snapshotKey(name), stale, 'status'))).toBe('conflict/Conflict');
    });

    it('removes a field by null and applies json patches with tests', async () => {
      const name = uniqueName();
      await createLease(name, { color: 'red' });
      const key = leaseKey(name);
      const without = await merge(key, { metadata: { labels: { color: null } } });
      expect(metadata(without).labels ?? {}).toEqual({});
      const body = [
        { op: 'test', path: '/spec/holderIdentity', value: 'one' },
        { op: 'replace', path: '/spec/holderIdentity', value: 'two' },
      ];
      const patched = await kube.patch(key, '', { type: 'json', body }, signal());
      expect(recordAt(patched, 'spec').holderIdentity).toBe('two');
      const again = kube.patch(key, '', { type: 'json', body }, signal());
      expect(await failureOf(again)).toBe('terminal/Invalid');
    });

    it('keeps status and the rest apart', async () => {
      const name = uniqueName();
      const created = await createSnapshot(name);
      expect(created.status).toBeUndefined();
      const key = snapshotKey(name);
      const plain = await merge(key, { status: { stage: 'Freezing' } });
      expect(recordAt(plain, 'status').stage).toBeUndefined();
      const body = {
        metadata: { labels: { a: 'b' } },
        spec: { cancel: true },
        status: { stage: 'Freezing' },
      };
      const patched = await merge(key, body, 'status');
      expect(recordAt(patched, 'status').stage).toBe('Freezing');
      expect(recordAt(patched, 'spec').cancel).not.toBe(true);
      expect(metadata(patched).labels).toBeUndefined();
    });

    it('counts the generation by changes of the spec alone', async () => {
      const name = uniqueName();
      expect(metadata(await createSnapshot(name)).generation).toBe(1);
      const key = snapshotKey(name);
      const labelled = await merge(key, { metadata: { labels: { a: 'b' } } });
      expect(metadata(labelled).generation).toBe(1);
      const reported = await merge(key, { status: { stage: 'Freezing' } }, 'status');
      expect(metadata(reported).generation).toBe(1);
      expect(metadata(await merge(key, { spec: { cancel: true } })).generation).toBe(2);
    });

    it('holds a deleted object until its last finalizer is gone', async () => {
      const name = uniqueName();
      const key = snapshotKey(name);
      await createSnapshot(name, ['nvidia.com/podsnapshotcontent-cleanup']);
      await kube.delete(key, {}, signal());
      const dying = await kube.get(key, signal());
      expect(metadata(dying).deletionTimestamp).toBeDefined();
      await kube.delete(key, {}, signal());
      const added = {
        metadata: { finalizers: ['nvidia.com/podsnapshotcontent-cleanup', 'nvidia.com/x'] },
      };
      expect(await failureOf(merge(key, added))).toBe('terminal/Invalid');
      await merge(key, { metadata: { finalizers: [] } });
      expect(await failureOf(kube.get(key, signal()))).toBe('gone/NotFound');
    });

    it('deletes only the incarnation and version meant', async () => {
      const name = uniqueName();
      const key = leaseKey(name);
      const { uid, resourceVersion } = identityOf(await createLease(name));
      const stranger = { uid: '6f1d2e5a-0000-4000-8000-000000000000' };
      expect(await failureOf(kube.delete(key, stranger, signal()))).toBe('conflict/Conflict');
      await merge(key, { spec: { holderIdentity: 'two' } });
      expect(await failureOf(kube.delete(key, { uid, resourceVersion }, signal()))).toBe(
        'conflict/Conflict',
      );
      await kube.delete(key, { uid }, signal());
      expect(await failureOf(kube.get(key, signal()))).toBe('gone/NotFound');
    });

    it('lists in pages and by selectors', async () => {
      const mark = uniqueName();
      const names = [uniqueName(), uniqueName(), uniqueName()].sort();
      for (const name of names) await createLease(name, { mark, first: String(name === names[0]) });
      const selection = { kind: kinds.lease, namespace, labelSelector: `mark=${mark}` };
      const one = await kube.list({ ...selection, limit: 2 }, signal());
      expect(one.items.map((item) => identityOf(item).name)).toEqual(names.slice(0, 2));
      expect(one.continue).not.toBe('');
      await createLease(uniqueName(), { mark });
      const rest = await kube.list({ ...selection, limit: 2, continue: one.continue }, signal());
      expect(rest.items.map((item) => identityOf(item).name)).toEqual(names.slice(2));
      expect(rest.continue).toBe('');
      const both = { ...selection, labelSelector: `mark in (${mark}),first!=true` };
      expect((await kube.list({ ...both, limit: 500 }, signal())).items).toHaveLength(3);
      const byName = { ...selection, fieldSelector: `metadata.name=${names[1]}` };
      expect((await kube.list({ ...byName, limit: 500 }, signal())).items).toHaveLength(1);
    });

    it('watches from a version on, objects entering and leaving the selection included', async () => {
      const mark = uniqueName();
      const labelSelector = `mark=${mark}`;
      const selection = { kind: kinds.lease, namespace, labelSelector };
      const { resourceVersion } = await kube.list({ ...selection, limit: 500 }, signal());
      const names = [uniqueName(), uniqueName()] as const;
      await createLease(names[0], { mark });
      await createLease(names[1]);
      const seen: string[] = [];
      const until = async (count: number): Promise<void> => {
        const request = { ...selection, resourceVersion, timeoutSeconds: 20 };
        for await (const event of kube.watch(request, signal())) {
          if (event.type === 'BOOKMARK') continue;
          seen.push(describeEvent(event));
          if (seen.length === count) return;
        }
      };
      const watching = until(4);
      await merge(leaseKey(names[1]), { metadata: { labels: { mark } } });
      await merge(leaseKey(names[1]), { metadata: { labels: { mark: null } } });
      await kube.delete(leaseKey(names[0]), {}, signal());
      await watching;
      expect(seen).toEqual([
        `ADDED ${names[0]}`,
        `ADDED ${names[1]}`,
        `DELETED ${names[1]}`,
        `DELETED ${names[0]}`,
      ]);
    });

    it('ends a watch when its time is up, and breaks it when the signal aborts', async () => {
      const selection = { kind: kinds.lease, namespace };
      const { resourceVersion } = await kube.list({ ...selection, limit: 1 }, signal());
      for await (const event of kube.watch(
        { ...selection, resourceVersion, timeoutSeconds: 1 },
        signal(),
      )) {
        expect(event.type).not.toBe('ERROR');
      }
      const abort = new AbortController();
      const reason = new Error('enough');
      const broken = (async () => {
        const request = { ...selection, resourceVersion, timeoutSeconds: 60 };
        for await (const event of kube.watch(request, abort.signal)) void event;
      })();
      abort.abort(reason);
      await expect(broken).rejects.toBe(reason);
    });

    it('rejects with the reason of a signal that has aborted', async () => {
      const reason = new Error('no longer wanted');
      await expect(kube.get(leaseKey('x'), AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}

const describeEvent = (event: WatchEvent): string =>
  `${event.type} ${identityOf(event.object).name}`;
