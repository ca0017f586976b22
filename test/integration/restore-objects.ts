import { kinds } from '../../core/api/kinds.ts';
import {
  agentLeaseName,
  contentName,
  heartbeatMarks,
  systemNamespace,
} from '../../core/api/names.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import {
  type RestoreProgress,
  restoreProgressCondition,
  restoreProgressMessage,
} from '../../core/api/restore-progress.ts';
import { systemClock } from '../../core/clock.ts';
import { isFailure } from '../../core/failure.ts';
import type { Kube, RawObject } from '../../runtime/kube-port.ts';
import { identityOf } from '../../runtime/raw-object.ts';
import { condition } from './controller-objects.ts';

const never = new AbortController().signal;
const beatMilliseconds = 5_000;

/** A node as the API server holds it, without anybody who runs it. */
export async function nodeWithAgent(kube: Kube, name: string): Promise<void> {
  const hostname = { 'kubernetes.io/hostname': name };
  const metadata = { name, labels: hostname };
  const node = { apiVersion: 'v1', kind: 'Node', metadata };
  await kube.create(kinds.node, node, { dryRun: false }, never);
  // The API server taints every new node until somebody says that it is Ready.
  const key = { kind: kinds.node, namespace: '', name };
  await kube.patch(key, '', { type: 'merge', body: { spec: { taints: null } } }, never);
}

/** The heartbeat of its agent, until it is stopped. */
export function beatAlone(kube: Kube, nodeName: string): { readonly stop: () => void } {
  const name = agentLeaseName(nodeName);
  const key = { kind: kinds.lease, namespace: systemNamespace, name };
  let cancel = (): void => {};
  let stopped = false;
  const beat = async (): Promise<void> => {
    const renewTime = `${new Date().toISOString().slice(0, 23)}000Z`;
    const spec = { holderIdentity: 'agent', renewTime };
    const marks = heartbeatMarks({ name: 'dir', sharedID: '' });
    const metadata = { name, namespace: systemNamespace, ...marks };
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    try {
      await kube.create(kinds.lease, lease, { dryRun: false }, never);
    } catch (error) {
      if (!isFailure(error, 'conflict')) throw error;
      await kube.patch(key, '', { type: 'merge', body: { spec } }, never);
    }
    if (!stopped) cancel = systemClock.after(beatMilliseconds, () => void beat());
  };
  void beat();
  return {
    stop: () => {
      stopped = true;
      cancel();
    },
  };
}

/** A captured snapshot of a pod on node-a that is gone: `captured` is what its agent said. */
export async function snapshotIn(
  kube: Kube,
  namespace: string,
  name: string,
  captured: RawObject,
): Promise<void> {
  const make = (kind: (typeof kinds)[keyof typeof kinds], object: RawObject) =>
    kube.create(kind, object, { dryRun: false }, never);
  const pod = `source-of-${name}`;
  const container = { name: 'main', image: 'sample', command: ['/bin/counter'] };
  await make(kinds.pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod, namespace },
    spec: { nodeName: 'node-a', containers: [container], terminationGracePeriodSeconds: 0 },
  });
  const made = await make(kinds.podSnapshot, {
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'PodSnapshot',
    metadata: { name, namespace },
    spec: { source: { podRef: { name: pod, containers: ['main'] } } },
  });
  const content = contentName(identityOf(made).uid);
  const key = { kind: kinds.podSnapshotContent, namespace: '', name: content };
  for (let tries = 0; ; tries += 1) {
    try {
      await kube.patch(key, 'status', { type: 'merge', body: { status: captured } }, never);
      break;
    } catch (error) {
      if (!isFailure(error, 'gone') || tries > 200) throw error;
      await new Promise((resolve) => systemClock.after(100, () => resolve(undefined)));
    }
  }
  await kube.delete({ kind: kinds.pod, namespace, name: pod }, {}, never);
}

/** The scheduler places the pod, and the agent of its node says what it is at. */
export async function agentSays(
  kube: Kube,
  namespace: string,
  name: string,
  said: { readonly reason: string; readonly message?: string } & Partial<RestoreProgress>,
): Promise<void> {
  const { reason, message = 'said the agent', ...figures } = said;
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace } };
  const target = { apiVersion: 'v1', kind: 'Node', name: 'node-a' };
  const bindings = { ...kinds.pod, kind: 'Binding', plural: `pods/${name}/binding` };
  await kube
    .create(bindings, { ...binding, target }, { dryRun: false }, never)
    .catch((error: unknown) => {
      // Placed already.
      if (!isFailure(error, 'conflict')) throw error;
    });
  const restored = reason === 'RestoreSucceeded' ? 'True' : 'False';
  const progress = restoreProgressMessage({ attempts: 1, ...figures });
  const status = {
    conditions: [
      condition(restoredCondition, restored, reason, message),
      condition(restoreProgressCondition, 'True', 'Figures', progress),
    ],
  };
  const key = { kind: kinds.pod, namespace, name };
  await kube.patch(key, 'status', { type: 'merge', body: { status } }, never);
}
