import {
  type Conditions,
  findCondition,
  isTrue,
  readyAndFailed,
  timestamp,
  withCondition,
} from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { type FailureReason, isFailureReason } from '../../core/api/reasons.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { formatBytes } from '../../core/units.ts';
import { patchStatus } from '../../runtime/status-patch.ts';
import { tellSnapshot } from './announce.ts';
import { isTerminal } from './decide.ts';
import type { Adopted, OrderDeps } from './deps.ts';
import { parsedContent, readContent } from './report.ts';
import { deletedPatch, type StatusPatch } from './status.ts';
import { referenceKeyOf } from './work.ts';

/** Where a content for an artifact that exists already stands for the agent of a node. */
export type ProvidedStep = 'leave' | 'end' | 'delete' | 'announce' | 'look';

/** What to do about one; pure and total. `announce`: nothing is written to the store before the status says that somebody is at it. */
export function providedStep(content: PodSnapshotContent, nodeName: string): ProvidedStep {
  const { metadata, spec, status } = content;
  if (metadata.labels[labels.node] !== nodeName) return 'leave';
  if (metadata.deletionTimestamp !== undefined) {
    const done = isTrue(status.conditions, 'ArtifactDeleted');
    return done || !metadata.finalizers.includes(finalizers.content) ? 'leave' : 'delete';
  }
  if (isTerminal(status)) return 'leave';
  if (spec.cancel) return 'end';
  return status.startedAt === undefined ? 'announce' : 'look';
}

const looking = 'looks for the artifact in the store';

function progress(content: PodSnapshotContent, message: string, now: string): Conditions {
  const observedGeneration = content.metadata.generation;
  const pending = { state: 'pending', message: 'not looked at yet' } as const;
  return withCondition(
    readyAndFailed(content.status.conditions, pending, now, observedGeneration),
    { type: 'Progressing', status: 'True', reason: 'Preparing', message, observedGeneration },
    now,
  );
}

type End =
  | { readonly state: 'ready'; readonly message: string }
  | { readonly state: 'failed'; readonly reason: FailureReason; readonly message: string };

function ended(content: PodSnapshotContent, end: End, now: string): StatusPatch {
  const { generation } = content.metadata;
  const reason = end.state === 'ready' ? 'Captured' : end.reason;
  const over = { type: 'Progressing', status: 'False', reason, message: '' } as const;
  const conditions = readyAndFailed(content.status.conditions, end, now, generation);
  return {
    stage: end.state === 'ready' ? 'Captured' : 'Failed',
    completedAt: now,
    observedGeneration: generation,
    conditions: withCondition(conditions, { ...over, observedGeneration: generation }, now),
  };
}

/** A content for an artifact that exists already: Ready once the artifact was seen whole and holds a reference of the content's own. */
export async function reconcileProvided(
  deps: OrderDeps,
  cached: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  if (providedStep(cached, deps.nodeName) === 'leave') return;
  let content = await readContent(deps, cached, signal);
  for (let step = providedStep(content, deps.nodeName); step !== 'leave'; ) {
    const patch = await perform(deps, step, content, signal);
    if (patch === undefined) return;
    content = await write(deps, content, patch, signal);
    step = providedStep(content, deps.nodeName);
  }
}

async function perform(
  deps: OrderDeps,
  step: Exclude<ProvidedStep, 'leave'>,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<StatusPatch | undefined> {
  const wallMilliseconds = deps.clock.wallMilliseconds();
  const now = timestamp(wallMilliseconds);
  switch (step) {
    case 'delete': {
      const retained = content.spec.deletionPolicy === 'Retain';
      if (!retained) await deps.artifacts.discard(referenceKeyOf(content), undefined, signal);
      return deletedPatch(content, retained ? 'retained' : 'deleted', wallMilliseconds);
    }
    case 'end': {
      const message = 'cancelled by spec.cancel; nothing was captured';
      return ended(content, { state: 'failed', reason: 'Cancelled', message }, now);
    }
    case 'announce': {
      const shown = { stage: 'Preparing', nodeName: deps.nodeName, startedAt: now };
      return { ...shown, conditions: progress(content, looking, now) };
    }
    case 'look':
      return look(deps, content, now, signal);
  }
}

async function look(
  deps: OrderDeps,
  content: PodSnapshotContent,
  now: string,
  signal: AbortSignal,
): Promise<StatusPatch> {
  try {
    const { published: artifact, source } = await adopt(deps, content, signal);
    const size = `${formatBytes(artifact.sizeBytes)} (${formatBytes(artifact.storedBytes)} stored)`;
    const message = `the artifact is whole in store ${artifact.store}: ${size}`;
    tellSnapshot(deps.announce, content, { type: 'Normal', reason: 'Captured', note: message });
    return { ...ended(content, { state: 'ready', message }, now), artifact, source };
  } catch (error) {
    if (isFailure(error, 'terminal', 'gone')) {
      const reason = isFailureReason(error.reason) ? error.reason : 'StorageError';
      const { message } = error;
      tellSnapshot(deps.announce, content, { type: 'Warning', reason, note: message });
      return ended(content, { state: 'failed', reason, message }, now);
    }
    await explain(deps, content, `${looking}: ${errorText(error)}`, now, signal);
    throw error;
  }
}

async function adopt(
  deps: OrderDeps,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<Adopted> {
  const { digest = '', store = '' } = content.spec.source.artifact ?? {};
  if (store === deps.artifacts.storeName) {
    return deps.artifacts.adopt(digest, referenceKeyOf(content), signal);
  }
  const message = `node ${deps.nodeName} has the store ${deps.artifacts.storeName}, not ${store}`;
  throw new Failure('terminal', 'ArtifactLost', message);
}

/** A store that is away is waited for, and the status says so, once. */
async function explain(
  deps: OrderDeps,
  content: PodSnapshotContent,
  message: string,
  now: string,
  signal: AbortSignal,
): Promise<void> {
  if (findCondition(content.status.conditions, 'Progressing')?.message === message) return;
  await write(deps, content, { conditions: progress(content, message, now) }, signal);
}

/** One write, of the very version that was read. */
async function write(
  deps: OrderDeps,
  content: PodSnapshotContent,
  status: StatusPatch,
  signal: AbortSignal,
): Promise<PodSnapshotContent> {
  const { name } = content.metadata;
  const key = { kind: kinds.podSnapshotContent, namespace: '', name };
  return parsedContent(await patchStatus(deps.kube, key, content.metadata, status, signal));
}
