import {
  type Conditions,
  readyAndFailed,
  timestamp,
  withCondition,
} from '../../core/api/conditions.ts';
import type { Progress, StageMilliseconds } from '../../core/api/pod-snapshot.ts';
import type { ContentStatus, PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason, ProgressReason } from '../../core/api/reasons.ts';
import type { SourceState, Stage } from '../../core/api/stages.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import type { CaptureFacts } from './facts.ts';

/** A merge patch of a content's status. `null` removes a field. */
export type StatusPatch = { readonly [field: string]: unknown };

/** What a node says about itself in a content's status; informational. */
export type NodeFacts = NonNullable<NonNullable<ContentStatus['source']>['node']>;

const setProgressing = (
  conditions: Conditions,
  status: 'True' | 'False',
  reason: string,
  message: string,
  content: PodSnapshotContent,
  now: string,
): Conditions =>
  withCondition(
    conditions,
    {
      type: 'Progressing',
      status,
      reason,
      message,
      observedGeneration: content.metadata.generation,
    },
    now,
  );

/** Stage and progress of an order that is going on. */
export function stagePatch(
  content: PodSnapshotContent,
  shown: {
    readonly stage: Stage;
    readonly reason: ProgressReason;
    readonly message: string;
    readonly progress: Progress | undefined;
    readonly attempts: number;
  },
  nodeName: string,
  wallMilliseconds: number,
): StatusPatch {
  const now = timestamp(wallMilliseconds);
  const generation = content.metadata.generation;
  const pending = readyAndFailed(
    content.status.conditions,
    { state: 'pending', message: 'not captured yet' },
    now,
    generation,
  );
  return {
    stage: shown.stage,
    nodeName,
    observedGeneration: generation,
    progress: shown.progress ?? null,
    ...(shown.attempts > 0 ? { attempts: shown.attempts } : {}),
    conditions: setProgressing(pending, 'True', shown.reason, shown.message, content, now),
  };
}

/** The end of an order that succeeded. */
export function readyPatch(
  content: PodSnapshotContent,
  facts: CaptureFacts,
  node: NodeFacts,
  attempts: number,
  wallMilliseconds: number,
): StatusPatch {
  const now = timestamp(wallMilliseconds);
  const generation = content.metadata.generation;
  const freeze = facts.freezeMilliseconds ?? facts.dump?.freezeMilliseconds ?? 0;
  const ends = content.spec.afterCapture === 'Terminate';
  const { published } = facts;
  const size =
    published === undefined
      ? ''
      : ` ${formatBytes(published.sizeBytes)} (${formatBytes(published.storedBytes)} stored)`;
  const message = `captured${size}, frozen for ${formatMilliseconds(freeze)}; the source ${ends ? 'ends' : 'runs on'}`;
  const outcome = readyAndFailed(
    content.status.conditions,
    { state: 'ready', message },
    now,
    generation,
  );
  return {
    stage: 'Captured',
    nodeName: node.name,
    observedGeneration: generation,
    progress: null,
    freezeMilliseconds: Math.round(freeze),
    ...(facts.stageMilliseconds === undefined
      ? {}
      : { stageMilliseconds: facts.stageMilliseconds }),
    sourceState: ends ? 'Frozen' : 'Running',
    artifact: published,
    startedAt: facts.startedAt,
    completedAt: now,
    attempts,
    source: {
      node: { ...node, ...criuOf(facts) },
      pod: { images: facts.images, limits: facts.limits },
    },
    conditions: setProgressing(outcome, 'False', 'Captured', message, content, now),
  };
}

/** What follows Ready where the source was to end, once it has. */
export function terminatedPatch(wallMilliseconds: number): StatusPatch {
  return { sourceState: 'Terminated', completedAt: timestamp(wallMilliseconds) };
}

const criuOf = (facts: CaptureFacts): { readonly criuVersion?: string } =>
  facts.dump === undefined ? {} : { criuVersion: facts.dump.criuVersion };

const sourceSentences: Readonly<Record<SourceState, string>> = {
  Untouched: 'the source was not touched',
  Frozen: 'the source is frozen',
  Running: 'the source runs on',
  Terminated: 'the source was ended',
  Unknown: 'the state of the source is not known: look at the pod',
};

/** The end of an order that failed; the message always says what became of the source. */
export function failedPatch(
  content: PodSnapshotContent,
  end: {
    readonly reason: FailureReason;
    readonly message: string;
    readonly sourceState: SourceState;
    readonly attempts: number;
    readonly startedAt: string | undefined;
    readonly stageMilliseconds: StageMilliseconds | undefined;
  },
  nodeName: string,
  wallMilliseconds: number,
): StatusPatch {
  const now = timestamp(wallMilliseconds);
  const generation = content.metadata.generation;
  const message = failureMessage(end.message, end.sourceState);
  const outcome = readyAndFailed(
    content.status.conditions,
    { state: 'failed', reason: end.reason, message },
    now,
    generation,
  );
  return {
    stage: 'Failed',
    nodeName,
    observedGeneration: generation,
    progress: null,
    sourceState: end.sourceState,
    ...(end.stageMilliseconds === undefined ? {} : { stageMilliseconds: end.stageMilliseconds }),
    completedAt: now,
    ...(end.attempts > 0 ? { attempts: end.attempts } : {}),
    ...(end.startedAt === undefined ? {} : { startedAt: end.startedAt }),
    conditions: setProgressing(outcome, 'False', end.reason, message, content, now),
  };
}

/** Conditions take 32768 bytes; etcd and people are served by less. */
const longestMessage = 4096;

/** A failure in the words of its condition. */
export function failureMessage(message: string, sourceState: SourceState): string {
  const sentence = `; ${sourceSentences[sourceState]}`;
  return `${message.slice(0, longestMessage - sentence.length)}${sentence}`;
}

/** This node is done with a deleted content, its bytes gone or, with Retain, left to an administrator; the controller lets the object go. */
export function deletedPatch(
  content: PodSnapshotContent,
  bytes: 'deleted' | 'retained',
  wallMilliseconds: number,
): StatusPatch {
  const state =
    bytes === 'deleted'
      ? { reason: 'ArtifactDeleted', message: 'the bytes are gone from the store' }
      : { reason: 'Released', message: 'the bytes stay in the store (deletionPolicy Retain)' };
  return {
    conditions: withCondition(
      content.status.conditions,
      {
        type: 'ArtifactDeleted',
        status: 'True',
        ...state,
        observedGeneration: content.metadata.generation,
      },
      timestamp(wallMilliseconds),
    ),
  };
}
