import { kinds } from '../../core/api/kinds.ts';
import { apiVersion, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Clock } from '../../core/clock.ts';
import { isFailure } from '../../core/failure.ts';
import type { EventRecord, EventRecorder } from '../../runtime/events.ts';
import type { Kube, ObjectKey, RawObject } from '../../runtime/kube-port.ts';
import { recordAt } from '../../runtime/raw-object.ts';
import type { ContentAction, ObservedContent } from './observed.ts';
import { markReleased } from './release.ts';

/** What the effects of contents write to. */
export type ContentTargets = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Pick<EventRecorder, 'record'>;
};

const keyOf = (name: string): ObjectKey => ({
  kind: kinds.podSnapshotContent,
  namespace: '',
  name,
});

/** One optimistic patch: of the very object that was decided about. */
async function patch(
  { kube }: ContentTargets,
  { metadata }: PodSnapshotContent,
  changes: RawObject,
  signal: AbortSignal,
): Promise<void> {
  const { name, resourceVersion } = metadata;
  const body = { ...changes, metadata: { ...recordAt(changes, 'metadata'), resourceVersion } };
  await kube.patch(keyOf(name), '', { type: 'merge', body }, signal);
}

async function removeFinalizer(
  targets: ContentTargets,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const list = content.metadata.finalizers.filter((entry) => entry !== finalizers.content);
  try {
    await patch(targets, content, { metadata: { finalizers: list } }, signal);
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
  const metadata = { labels: { [labels.node]: node }, ...finalizer };
  await patch(targets, content, { metadata }, signal);
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
    case 'cancel':
      await patch(targets, content, { spec: { cancel: true } }, signal);
      return undefined;
    case 'delete': {
      const { name, resourceVersion, uid } = content.metadata;
      await targets.kube.delete(keyOf(name), { uid, resourceVersion }, signal);
      return undefined;
    }
    case 'release': {
      const { message } = action;
      await markReleased(targets, content, { status: 'True', reason: 'Released', message }, signal);
      const told = { type: 'Warning', reason: 'Released', action: 'Release' } as const;
      tell(targets, content, { ...told, note: message });
      return undefined;
    }
    case 'writeOff':
      tell(targets, content, {
        ...{ type: 'Warning', reason: 'ArtifactLost', action: 'WriteOff' },
        note: action.message,
      });
      return undefined;
  }
}
