import { kinds } from '../../../../core/api/kinds.ts';
import { agentLeaseName, heartbeatMarks, systemNamespace } from '../../../../core/api/names.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import type { World } from './world.ts';

const never = new AbortController().signal;

/** A pod as the API server holds it, placed on a node unless told otherwise. */
export function podObject(
  name: string,
  options: {
    readonly node?: string | undefined;
    readonly labels?: RawObject;
    readonly owner?: RawObject;
    readonly containers?: readonly string[];
  },
): RawObject {
  const containers = (options.containers ?? ['main']).map((container) => ({
    name: container,
    image: 'sample',
    volumeMounts: [
      { name: 'kube-api-access-x1', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ],
  }));
  return {
    metadata: {
      name,
      namespace: 'default',
      labels: options.labels ?? {},
      ...(options.owner === undefined ? {} : { ownerReferences: [options.owner] }),
    },
    spec: {
      containers,
      volumes: [{ name: 'kube-api-access-x1', projected: {} }],
      ...(options.node === undefined ? {} : { nodeName: options.node }),
    },
  };
}

export function snapshotManifest(name: string, podRef: RawObject, spec: RawObject = {}): RawObject {
  return {
    metadata: { name, namespace: 'default' },
    spec: { source: { podRef: { containers: ['main'], ...podRef } }, ...spec },
  };
}

export function checkpointManifest(
  name: string,
  job: RawObject = {},
  spec: RawObject = {},
): RawObject {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      ...spec,
      job: {
        podTemplateSpec: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
        ...job,
      },
    },
  };
}

export function snapshotJobManifest(name: string, spec: RawObject = {}): RawObject {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      podTemplate: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
      podSnapshotTemplate: {},
      ...spec,
    },
  };
}

const ready = { type: 'Ready', status: 'True', reason: 'Captured', message: 'Captured.' };

/** What an agent writes at the end of a capture. */
export const capturedStatus: RawObject = {
  stage: 'Captured',
  sourceState: 'Running',
  freezeMilliseconds: 120,
  startedAt: '2026-01-01T00:00:01Z',
  completedAt: '2026-01-01T00:00:02Z',
  attempts: 1,
  artifact: { digest: `sha256:${'a'.repeat(64)}`, sizeBytes: 10, storedBytes: 8, store: 'dir' },
  conditions: [ready, { type: 'Failed', status: 'False', reason: 'Captured', message: '' }],
};

/** What an agent writes when a capture failed. */
export const failedStatus = (reason: string, message: string): RawObject => ({
  stage: 'Failed',
  sourceState: 'Running',
  conditions: [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Failed', status: 'True', reason, message },
  ],
});

/** Beats of an agent: each call changes the Lease of its node. `sharedID`: of the store that it says to have in common with others. */
export async function beat(world: World, node: string, sharedID = ''): Promise<void> {
  const key = { kind: kinds.lease, namespace: systemNamespace, name: agentLeaseName(node) };
  const renewTime = new Date(world.clock.wallMilliseconds()).toISOString();
  const spec = { holderIdentity: `agent-${node}`, renewTime, leaseDurationSeconds: 30 };
  if (world.kube.peek(key) !== undefined) {
    await world.kube.patch(key, '', { type: 'merge', body: { spec } }, never);
    return;
  }
  const marks = heartbeatMarks({ name: 'dir', sharedID });
  const metadata = { name: key.name, namespace: key.namespace, ...marks };
  await world.create(kinds.lease, { metadata, spec });
}

/** The agents of the cluster in one step: each open order is captured, each deleted one loses its bytes. */
export async function agentsAct(world: World): Promise<void> {
  for (const { metadata, spec, status } of world.contents.list()) {
    if (metadata.deletionTimestamp !== undefined) {
      const gone = { type: 'ArtifactDeleted', status: 'True', reason: 'ArtifactDeleted' };
      const conditions = [...status.conditions, gone];
      await world.status(kinds.podSnapshotContent, '', metadata.name, { conditions });
    } else if (status.stage === 'Pending') {
      const end = spec.cancel
        ? failedStatus('Cancelled', 'Cancelled. The source is running.')
        : capturedStatus;
      await world.status(kinds.podSnapshotContent, '', metadata.name, end);
    }
  }
}

/** The Job controller in one step: each Job without a pod gets one. */
export async function jobsAct(world: World, node: string | undefined): Promise<void> {
  for (const job of world.jobs.list()) {
    const { name, uid } = job.metadata;
    if (world.pods.byIndex('job', uid).length > 0) continue;
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true };
    await world.create(kinds.pod, podObject(`${name}-pod`, { node, owner }));
  }
}
