import { kinds } from '../../core/api/kinds.ts';
import { apiVersion, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { isFailure } from '../../core/failure.ts';
import type { EventRecord, EventRecorder } from '../../runtime/events.ts';
import type { Kube, ObjectKey, RawObject } from '../../runtime/kube-port.ts';
import type { ContentAction, ObservedContent } from './observed.ts';

/** What the effects of contents write to. */
export type ContentTargets = {
  readonly kube: Kube;
  readonly events: Pick<EventRecorder, 'record'>;
};

/** One optimistic patch: of the very object that was decided about. */
async function patch(
  { kube }: ContentTargets,
  { metadata }: PodSnapshotContent,
  changes: RawObject,
  signal: AbortSignal,
): Promise<void> {
  const { name, resourceVersion } = metadata;
  const key: ObjectKey = { kind: kinds.podSnapshotContent, namespace: '', name };
  const body = { metadata: { ...changes, resourceVersion } };
  await kube.patch(key, '', { type: 'merge', body }, signal);
}

async function removeFinalizer(
  targets: ContentTargets,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const list = content.metadata.finalizers.filter((entry) => entry !== finalizers.content);
  try {
    await patch(targets, content, { finalizers: list }, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
}

type Told = Pick<EventRecord, 'type' | 'reason' | 'action' | 'note'>;

function tell({ events }: ContentTargets, { metadata }: PodSnapshotContent, told: Told): void {
  const { name, uid } = metadata;
  const kind = 'PodSnapshotContent';
  events.record({ regarding: { kind, apiVersion, namespace: '', name, uid }, ...told });
}

async function route(
  targets: ContentTargets,
  content: PodSnapshotContent,
  { message, node }: Extract<ContentAction, { do: 'route' }>,
  signal: AbortSignal,
): Promise<void> {
  const { deletionTimestamp, finalizers: before } = content.metadata;
  // From here on there may be bytes to look after. An object on its way out takes no new finalizer, and has ours already.
  const guarded = deletionTimestamp !== undefined || before.includes(finalizers.content);
  const finalizer = guarded ? {} : { finalizers: [...before, finalizers.content] };
  await patch(targets, content, { labels: { [labels.node]: node }, ...finalizer }, signal);
  if (message === undefined) return;
  tell(targets, content, { type: 'Normal', reason: 'Rerouted', action: 'Route', note: message });
}

/** Performs one action of a content. Each is harmless when repeated. */
export async function performContentAction(
  targets: ContentTargets,
  action: ContentAction,
  { content }: ObservedContent,
  signal: AbortSignal,
): Promise<undefined> {
  switch (action.do) {
    case 'removeFinalizer':
      await removeFinalizer(targets, content, signal);
      return undefined;
    case 'route':
      await route(targets, content, action, signal);
      return undefined;
    case 'writeOff':
      tell(targets, content, {
        ...{ type: 'Warning', reason: 'ArtifactLost', action: 'WriteOff' },
        note: action.message,
      });
      return undefined;
  }
}
