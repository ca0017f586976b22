import { timestamp } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { extensionApiVersion, finalizers } from '../../core/api/names.ts';
import { type PodRestore, parsePodRestore } from '../../core/api/pod-restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import type { Clock } from '../../core/clock.ts';
import { isFailure } from '../../core/failure.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube, RawObject } from '../../runtime/kube-port.ts';
import type { Finding } from '../loop.ts';
import type { OwnWrites } from '../own-writes.ts';
import { parsedOrRetry } from '../read.ts';
import type { ObservedPodRestore, PodRestoreAction, PodRestoreEvent } from './observed.ts';
import { viewPod } from './pod-view.ts';
import { statusPatch } from './status-report.ts';

/** What the effects of PodRestores write to. */
export type PodRestoreTargets = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly ownPodRestores: OwnWrites<PodRestore>;
};

type Of<K extends PodRestoreAction['do']> = Extract<PodRestoreAction, { do: K }>;
type Found = Promise<Finding<ObservedPodRestore>>;

/** One optimistic patch; what it became is remembered until the cache shows it. */
async function patchRestore(
  { kube, ownPodRestores }: PodRestoreTargets,
  restore: PodRestore,
  part: '' | 'status',
  change: RawObject,
  signal: AbortSignal,
): Promise<PodRestore> {
  const { name, namespace = '', resourceVersion } = restore.metadata;
  const metadata = { ...(change.metadata as RawObject | undefined), resourceVersion };
  const key = { kind: kinds.podRestore, namespace, name };
  const body = { ...change, metadata };
  const raw = await kube.patch(key, part, { type: 'merge', body }, signal);
  const written = parsedOrRetry(parsePodRestore(raw));
  ownPodRestores.remember(restore, written);
  return written;
}

async function changeFinalizers(
  targets: PodRestoreTargets,
  { restore }: ObservedPodRestore,
  list: readonly string[],
  signal: AbortSignal,
): Promise<PodRestore | undefined> {
  try {
    return await patchRestore(targets, restore, '', { metadata: { finalizers: list } }, signal);
  } catch (error) {
    if (isFailure(error, 'gone')) return undefined;
    throw error;
  }
}

/** What was made is a finding, so that its UID is on record at once and not only when a cache shows it. */
async function createPod(
  { kube }: PodRestoreTargets,
  { pod }: Of<'createPod'>,
  { restore }: ObservedPodRestore,
  signal: AbortSignal,
): Found {
  try {
    const raw = await kube.create(kinds.pod, pod, { dryRun: false }, signal);
    const made = viewPod(parsedOrRetry(parsePod(raw)), restore.spec.maxAttempts);
    return { pod: { state: 'ours', object: made } };
  } catch (error) {
    if (!isFailure(error, 'terminal')) throw error;
    const { message } = error;
    return message.includes('exceeded quota') ? { quota: message } : { rejection: message };
  }
}

/** A conflict comes out: the pod may be restored by now, and has to be looked at again. */
async function deletePod(
  { kube }: PodRestoreTargets,
  { pod }: Of<'deletePod'>,
  signal: AbortSignal,
): Found {
  const { name, namespace = '', resourceVersion, uid } = pod.metadata;
  try {
    await kube.delete({ kind: kinds.pod, namespace, name }, { uid, resourceVersion }, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
  return undefined;
}

function recordEvent(
  { events }: PodRestoreTargets,
  { metadata }: PodRestore,
  action: string,
  { pod, ...event }: PodRestoreEvent,
): void {
  const { name, namespace = '', uid } = metadata;
  const restore = { kind: 'PodRestore', apiVersion: extensionApiVersion, namespace, name, uid };
  events.record({ regarding: restore, action, ...event });
  if (pod === undefined) return;
  const regarding = {
    ...{ kind: 'Pod', apiVersion: 'v1', namespace },
    ...{ name: pod.metadata.name, uid: pod.metadata.uid },
  };
  events.record({ regarding, action, ...event });
}

async function report(
  targets: PodRestoreTargets,
  action: Of<'report'>,
  { restore }: ObservedPodRestore,
  signal: AbortSignal,
): Found {
  const now = timestamp(targets.clock.wallMilliseconds());
  const status = statusPatch(restore, action.report, now);
  if (status === undefined) return undefined;
  await patchRestore(targets, restore, 'status', { status }, signal);
  if (action.event !== undefined) recordEvent(targets, restore, action.report.to, action.event);
  return undefined;
}

/** Performs one action of a PodRestore. Each is harmless when repeated. */
export async function performPodRestoreAction(
  targets: PodRestoreTargets,
  action: PodRestoreAction,
  observed: ObservedPodRestore,
  signal: AbortSignal,
): Found {
  const held = observed.restore.metadata.finalizers;
  switch (action.do) {
    case 'addFinalizer': {
      const list = [...held, finalizers.restore];
      const restore = await changeFinalizers(targets, observed, list, signal);
      // Gone meanwhile: nothing was made.
      return restore === undefined ? undefined : { restore };
    }
    case 'removeFinalizer': {
      const list = held.filter((entry) => entry !== finalizers.restore);
      await changeFinalizers(targets, observed, list, signal);
      return undefined;
    }
    case 'createPod':
      return createPod(targets, action, observed, signal);
    case 'deletePod':
      return deletePod(targets, action, signal);
    case 'report':
      return report(targets, action, observed, signal);
  }
}
