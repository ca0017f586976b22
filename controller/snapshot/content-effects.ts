import { isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { apiVersion, contentName } from '../../core/api/names.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { isFailure } from '../../core/failure.ts';
import type { ObjectKey } from '../../runtime/kube-port.ts';
import { markReleased } from '../content/release.ts';
import { parsedOrRetry, read } from '../read.ts';
import { contentObject } from './content-object.ts';
import type { Effect } from './effect.ts';
import { newsOf, sighted } from './observe.ts';
import type { ObservedSnapshot } from './observed.ts';
import { failedStatus } from './snapshot-effects.ts';

const contentKey = (name: string): ObjectKey => ({
  kind: kinds.podSnapshotContent,
  namespace: '',
  name,
});

/** The finding of a content that was just read or written. */
function foundContent(observed: ObservedSnapshot, content: PodSnapshotContent) {
  const sighting = sighted(observed.snapshot, content, true);
  return { content: sighting, news: newsOf(observed.snapshot, sighting) };
}

/** See SnapshotAction. */
export const createContent: Effect<'createContent'> = async (targets, action, observed, signal) => {
  const object = contentObject(observed.snapshot, action.pod, action.raw);
  const kind = kinds.podSnapshotContent;
  try {
    const raw = await targets.kube.create(kind, object, { dryRun: false }, signal);
    return foundContent(observed, parsedOrRetry(parsePodSnapshotContent(raw)));
  } catch (error) {
    if (isFailure(error, 'terminal')) return { rejection: error.message };
    if (!isFailure(error, 'conflict')) throw error;
    // There is one already: ours, if an answer was lost, or somebody's.
    const key = contentKey(contentName(observed.snapshot.metadata.uid));
    const standing = await read(targets.kube, key, parsePodSnapshotContent, signal);
    if (standing === undefined) throw error;
    return foundContent(observed, standing);
  }
};

/** See SnapshotAction. */
export const cancelContent: Effect<'cancelContent'> = async (
  targets,
  { content },
  observed,
  signal,
) => {
  const { name, uid } = content.metadata;
  // Not optimistic: it must get through, and only the answer is believed. The UID keeps it off a successor.
  const body = { metadata: { uid }, spec: { cancel: true } };
  const patch = { type: 'merge', body } as const;
  const raw = await targets.kube.patch(contentKey(name), '', patch, signal);
  return foundContent(observed, parsedOrRetry(parsePodSnapshotContent(raw)));
};

/** See SnapshotAction. */
export const failContent: Effect<'failContent'> = async (targets, action, observed, signal) => {
  const { name, resourceVersion } = action.content.metadata;
  const status = failedStatus(targets, action.content, action);
  const patch = { type: 'merge', body: { metadata: { resourceVersion }, status } } as const;
  // Optimistic: an agent that comes back to life in this moment has the last word.
  const raw = await targets.kube.patch(contentKey(name), 'status', patch, signal);
  const { reason, message } = action;
  const { snapshot } = observed;
  const { name: snapshotName, namespace = '', uid } = snapshot.metadata;
  targets.events.record({
    regarding: { kind: 'PodSnapshot', apiVersion, namespace, name: snapshotName, uid },
    action: 'Fail',
    type: 'Warning',
    reason,
    note: message,
  });
  return foundContent(observed, parsedOrRetry(parsePodSnapshotContent(raw)));
};

/** See SnapshotAction. */
export const deleteContent: Effect<'deleteContent'> = async (
  targets,
  { content },
  _observed,
  signal,
) => {
  const { name, uid } = content.metadata;
  await targets.kube.delete(contentKey(name), { uid }, signal);
  return undefined;
};

/** See SnapshotAction. */
export const releaseContent: Effect<'releaseContent'> = async (
  targets,
  { content },
  { snapshot },
  signal,
) => {
  if (isTrue(content.status.conditions, 'Released')) return undefined;
  const { name, namespace = '' } = snapshot.metadata;
  const message = `PodSnapshot ${namespace}/${name} was deleted; the bytes are kept (deletionPolicy Retain).`;
  await markReleased(targets, content, { status: 'True', reason: 'Released', message }, signal);
  return undefined;
};

/** See SnapshotAction. */
export const claimContent: Effect<'claimContent'> = async (
  targets,
  { content },
  observed,
  signal,
) => {
  const { uid: snapshotUID } = observed.snapshot.metadata;
  // First: from the claim on nobody may give it to another snapshot.
  const bound = { status: 'False', reason: 'Bound', message: '' } as const;
  const { metadata } = isTrue(content.status.conditions, 'Released')
    ? await markReleased(targets, content, bound, signal)
    : content;
  const { name, resourceVersion } = metadata;
  const body = { metadata: { resourceVersion }, spec: { snapshotRef: { uid: snapshotUID } } };
  const raw = await targets.kube.patch(contentKey(name), '', { type: 'merge', body }, signal);
  return foundContent(observed, parsedOrRetry(parsePodSnapshotContent(raw)));
};
