import { kinds } from '../../../../../core/api/kinds.ts';
import { annotations, apiVersion } from '../../../../../core/api/names.ts';
import { restoredCondition } from '../../../../../core/api/restore.ts';
import type { RawObject } from '../../../../../runtime/kube-port.ts';
import { identityOf } from '../../../../../runtime/raw-object.ts';
import type { MemoryKube } from '../../../../support/memory-kube.ts';

const never = new AbortController().signal;
export const namespace = 'default';
export const name = 'again';

/** Merges into the status of an object. */
export async function setStatus(
  kube: MemoryKube,
  kind: (typeof kinds)[keyof typeof kinds],
  space: string,
  object: string,
  status: RawObject,
): Promise<void> {
  const key = { kind, namespace: space, name: object };
  await kube.patch(key, 'status', { type: 'merge', body: { status } }, never);
}

/** A Ready snapshot with its content, and a pod in placeholder form that names it. */
export async function createObjects(kube: MemoryKube): Promise<void> {
  const snapshot = await kube.create(
    kinds.podSnapshot,
    {
      apiVersion,
      kind: 'PodSnapshot',
      metadata: { name: 'snap', namespace },
      spec: { source: { podRef: { name: 'source', containers: ['main'] } } },
    },
    { dryRun: false },
    never,
  );
  const { uid } = identityOf(snapshot);
  const content = await kube.create(
    kinds.podSnapshotContent,
    {
      apiVersion,
      kind: 'PodSnapshotContent',
      metadata: { name: 'content' },
      spec: {
        snapshotRef: { name: 'snap', namespace, uid },
        source: {
          podRef: { name: 'source', containers: ['main'], uid: 'source-uid' },
          nodeName: 'node',
        },
      },
    },
    { dryRun: false },
    never,
  );
  const digest = `sha256:${'0'.repeat(64)}`;
  const artifact = { digest, store: 'dir', sizeBytes: 1, storedBytes: 1 };
  await setStatus(kube, kinds.podSnapshotContent, '', identityOf(content).name, { artifact });
  const conditions = [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Captured',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ];
  await setStatus(kube, kinds.podSnapshot, namespace, 'snap', {
    conditions,
    boundSnapshotContentName: 'content',
  });
  const mount = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
  await kube.create(
    kinds.pod,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, annotations: { [annotations.restoreFrom]: 'snap' } },
      spec: {
        nodeName: 'node',
        readinessGates: [{ conditionType: restoredCondition }],
        volumes: [{ name: 'snapshot-control', emptyDir: {} }],
        containers: [
          {
            name: 'main',
            image: 'x',
            command: ['/snapshot-control/init'],
            volumeMounts: [mount],
          },
        ],
      },
    },
    { dryRun: false },
    never,
  );
}
