import { kinds } from '../../core/api/kinds.ts';
import { apiVersion, finalizers } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { isFailure } from '../../core/failure.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import type { Next } from '../../runtime/reconciler.ts';
import type { Heartbeats } from '../heartbeats.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import type { ContentAction, ObservedContent } from './observed.ts';

/** What the reconcile of contents needs. */
export type ContentDeps = {
  readonly kube: Kube;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly contents: ObjectReader<PodSnapshotContent, never>;
  readonly heartbeats: Heartbeats;
};

async function observe(
  deps: ContentDeps,
  key: string,
  signal: AbortSignal,
): Promise<ObservedContent | undefined> {
  const content = deps.contents.get(key);
  if (content === undefined) return undefined;
  const { nodeName } = content.spec.source;
  const deleting = content.metadata.deletionTimestamp !== undefined;
  const agent =
    deleting && nodeName !== undefined ? await deps.heartbeats.look(nodeName, signal) : undefined;
  return Object.freeze({ phase: deleting ? 'Deleting' : 'Live', content, agent });
}

async function removeFinalizer(
  deps: ContentDeps,
  { metadata }: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const { name, resourceVersion } = metadata;
  const list = metadata.finalizers.filter((entry) => entry !== finalizers.content);
  const body = { metadata: { resourceVersion, finalizers: list } };
  const key = { kind: kinds.podSnapshotContent, namespace: '', name };
  try {
    await deps.kube.patch(key, '', { type: 'merge', body }, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
}

function writeOff(deps: ContentDeps, { metadata }: PodSnapshotContent, message: string): void {
  deps.events.record({
    regarding: {
      kind: 'PodSnapshotContent',
      apiVersion,
      namespace: '',
      name: metadata.name,
      uid: metadata.uid,
    },
    type: 'Warning',
    reason: 'ArtifactLost',
    action: 'WriteOff',
    note: message,
  });
}

async function perform(
  deps: ContentDeps,
  action: ContentAction,
  { content }: ObservedContent,
  signal: AbortSignal,
): Promise<undefined> {
  if (action.do === 'removeFinalizer') await removeFinalizer(deps, content, signal);
  else writeOff(deps, content, action.message);
  return undefined;
}

/** The reconcile of PodSnapshotContents; keys are names. Only the end of a content is decided here. */
export function contentReconcile(
  deps: ContentDeps,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith<ObservedContent, ContentAction>({
    observe: (key, signal) => observe(deps, key, signal),
    decide,
    perform: (action, observed, signal) => perform(deps, action, observed, signal),
  });
}
