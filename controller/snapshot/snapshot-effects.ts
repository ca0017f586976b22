import {
  type Conditions,
  readyAndFailed,
  timestamp,
  withCondition,
} from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { apiVersion, finalizers } from '../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { ProgressReason } from '../../core/api/reasons.ts';
import { isFailure } from '../../core/failure.ts';
import type { ObjectKey, RawObject } from '../../runtime/kube-port.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import { parsedOrRetry } from '../read.ts';
import type { Effect, SnapshotTargets } from './effect.ts';
import { changedFields, mirrorPatch } from './mirror.ts';
import { sightPod } from './observe.ts';
import type { ObservedSnapshot, ReportedEvent } from './observed.ts';

const snapshotKey = ({ metadata }: PodSnapshot): ObjectKey => ({
  kind: kinds.podSnapshot,
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

const nowText = ({ clock }: SnapshotTargets): string => timestamp(clock.wallMilliseconds());

/** One optimistic patch of the snapshot; what it became is remembered until the cache shows it. */
async function patchSnapshot(
  targets: SnapshotTargets,
  snapshot: PodSnapshot,
  subresource: '' | 'status',
  body: RawObject,
  signal: AbortSignal,
): Promise<PodSnapshot> {
  const key = snapshotKey(snapshot);
  const raw = await targets.kube.patch(key, subresource, { type: 'merge', body }, signal);
  const written = parsedOrRetry(parsePodSnapshot(raw));
  targets.ownSnapshots.remember(snapshot, written);
  return written;
}

/** Writes the fields of the status that differ, then the event: one write and one event a transition. */
async function report(
  targets: SnapshotTargets,
  { snapshot }: ObservedSnapshot,
  status: RawObject | undefined,
  event: ReportedEvent | undefined,
  signal: AbortSignal,
): Promise<undefined> {
  if (status === undefined) return undefined;
  const { name, namespace = '', resourceVersion, uid } = snapshot.metadata;
  const body = { metadata: { resourceVersion }, status };
  await patchSnapshot(targets, snapshot, 'status', body, signal);
  targets.memory.wrote(cacheKey(namespace, name));
  if (event !== undefined) {
    targets.events.record({
      regarding: { kind: 'PodSnapshot', apiVersion, namespace, name, uid },
      action: event.type === 'Normal' ? 'Bind' : 'Fail',
      ...event,
    });
  }
  return undefined;
}

const changeFinalizers = async (
  targets: SnapshotTargets,
  snapshot: PodSnapshot,
  list: readonly string[],
  signal: AbortSignal,
): Promise<PodSnapshot> => {
  const { resourceVersion } = snapshot.metadata;
  const body = { metadata: { resourceVersion, finalizers: list } };
  return patchSnapshot(targets, snapshot, '', body, signal);
};

/** See SnapshotAction. */
export const addFinalizer: Effect<'addFinalizer'> = async (targets, _action, observed, signal) => {
  const { snapshot: before, phase, content } = observed;
  const list = [...before.metadata.finalizers, finalizers.snapshot];
  const [snapshot, pod] = await Promise.all([
    changeFinalizers(targets, before, list, signal),
    sightPod(targets, before, phase, content, signal),
  ]);
  return { snapshot, pod };
};

/** See SnapshotAction. */
export const removeFinalizer: Effect<'removeFinalizer'> = async (
  targets,
  _action,
  observed,
  signal,
) => {
  const { snapshot } = observed;
  const list = snapshot.metadata.finalizers.filter((entry) => entry !== finalizers.snapshot);
  try {
    await changeFinalizers(targets, snapshot, list, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
  return undefined;
};

/** See SnapshotAction. */
export const bind: Effect<'bind'> = async (targets, action, observed, signal) => {
  const { snapshot } = observed;
  const { contentName, nodeName } = action;
  const message =
    nodeName === undefined
      ? `Bound to PodSnapshotContent ${contentName}.`
      : `Order ${contentName} is with node ${nodeName}.`;
  const generation = snapshot.metadata.generation;
  const pending = { state: 'pending', message } as const;
  const waiting = 'Waits for the agent of the node to take the order up.';
  const progress = { reason: 'WaitingForAgent', message: waiting } as const;
  const conditions = withProgress(targets, snapshot, progress);
  const status = changedFields(snapshot.status, {
    boundSnapshotContentName: contentName,
    nodeName,
    stage: 'Pending',
    conditions: readyAndFailed(conditions, pending, nowText(targets), generation),
    observedGeneration: generation,
  });
  return report(
    targets,
    observed,
    status,
    { type: 'Normal', reason: 'Bound', note: message },
    signal,
  );
};

/** The conditions with what is waited for in Progressing. */
function withProgress(
  targets: SnapshotTargets,
  { metadata, status }: PodSnapshot,
  { reason, message }: { readonly reason: ProgressReason; readonly message: string },
): Conditions {
  const { generation } = metadata;
  const progressing = { type: 'Progressing', status: 'True', reason, message } as const;
  const wanted = { ...progressing, observedGeneration: generation };
  return withCondition(status.conditions, wanted, nowText(targets));
}

/** See SnapshotAction. */
export const wait: Effect<'wait'> = async (targets, action, observed, signal) => {
  const { snapshot } = observed;
  const { generation } = snapshot.metadata;
  const conditions = withProgress(targets, snapshot, action);
  const pending = { state: 'pending', message: 'Not captured yet.' } as const;
  const status = changedFields(snapshot.status, {
    conditions: readyAndFailed(conditions, pending, nowText(targets), generation),
    observedGeneration: generation,
  });
  const { message, reason } = action;
  const event = action.warn ? ({ type: 'Warning', reason, note: message } as const) : undefined;
  return report(targets, observed, status, event, signal);
};

/** See SnapshotAction. */
export const explain: Effect<'explain'> = async (targets, action, observed, signal) => {
  const { snapshot } = observed;
  const conditions = withProgress(targets, snapshot, action);
  const status = changedFields(snapshot.status, { conditions });
  return report(targets, observed, status, undefined, signal);
};

/** See SnapshotAction. */
export const mirror: Effect<'mirror'> = async (targets, { content, reason }, observed, signal) => {
  const status = mirrorPatch(observed.snapshot, content, reason, nowText(targets));
  // The agent that ended the order has recorded the event.
  return report(targets, observed, status, undefined, signal);
};

/** The status of a failure that the controller itself found. */
export function failedStatus(
  targets: SnapshotTargets,
  object: PodSnapshot | PodSnapshotContent,
  { reason, message }: { readonly reason: string; readonly message: string },
): RawObject {
  const now = nowText(targets);
  const observedGeneration = object.metadata.generation;
  const over = { type: 'Progressing', status: 'False', reason, message: '' } as const;
  const conditions = withCondition(object.status.conditions, { ...over, observedGeneration }, now);
  const outcome = { state: 'failed', reason, message } as const;
  return {
    conditions: readyAndFailed(conditions, outcome, now, observedGeneration),
    stage: 'Failed',
    completedAt: now,
    observedGeneration,
  };
}

/** See SnapshotAction. */
export const fail: Effect<'fail'> = async (targets, action, observed, signal) => {
  const { reason, message } = action;
  const status = failedStatus(targets, observed.snapshot, action);
  return report(targets, observed, status, { type: 'Warning', reason, note: message }, signal);
};
