import type { Conditions } from '../../core/api/conditions.ts';
import { findCondition, readyAndFailed, withCondition } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { outcomeOf } from './outcome.ts';

/** Figures that a snapshot shows as its content has them. */
const figures = [
  'nodeName',
  'progress',
  'freezeMilliseconds',
  'stageMilliseconds',
  'sourceState',
  'artifact',
  'startedAt',
  'completedAt',
  'attempts',
] as const;

function mirroredConditions(
  snapshot: PodSnapshot,
  content: PodSnapshotContent,
  reason: string | undefined,
  now: string,
): Conditions {
  const theirs = content.status.conditions;
  const generation = snapshot.metadata.generation;
  const outcome = outcomeOf(theirs);
  let conditions: Conditions = snapshot.status.conditions;
  const progressing = findCondition(theirs, 'Progressing');
  if (outcome === 'open') {
    if (progressing === undefined) return conditions;
    const { status, reason: stage, message } = progressing;
    return withCondition(
      conditions,
      { type: 'Progressing', status, reason: stage, message, observedGeneration: generation },
      now,
    );
  }
  const end = findCondition(theirs, 'Failed');
  const ready = findCondition(theirs, 'Ready');
  const verdict = outcome === 'failed' && end?.status === 'True' ? end : ready;
  const why = reason ?? verdict?.reason ?? 'CheckpointFailed';
  const message = verdict?.message ?? '';
  conditions = withCondition(
    conditions,
    {
      type: 'Progressing',
      status: 'False',
      reason: outcome === 'ready' ? 'Captured' : why,
      message: '',
      observedGeneration: generation,
    },
    now,
  );
  return outcome === 'ready'
    ? readyAndFailed(conditions, { state: 'ready', message }, now, generation)
    : readyAndFailed(conditions, { state: 'failed', reason: why, message }, now, generation);
}

const stageByOutcome = { ready: 'Captured', failed: 'Failed' } as const;

/**
 * The status patch after which a snapshot says what its content says, with only the fields that differ; undefined when none does.
 * `reason` replaces the content's reason for a failure.
 */
export function mirrorPatch(
  snapshot: PodSnapshot,
  content: PodSnapshotContent,
  reason: string | undefined,
  now: string,
): RawObject | undefined {
  const outcome = outcomeOf(content.status.conditions);
  const wanted: Record<string, unknown> = {
    conditions: mirroredConditions(snapshot, content, reason, now),
    stage: outcome === 'open' ? content.status.stage : stageByOutcome[outcome],
    observedGeneration: snapshot.metadata.generation,
  };
  for (const figure of figures) wanted[figure] = content.status[figure];
  // Known since the binding, before the agent has said anything.
  wanted.nodeName ??= snapshot.status.nodeName;
  const status: RawObject = snapshot.status;
  return changedFields(status, wanted);
}

/** A merge patch with the fields of `wanted` that differ from `status`; absent ones become null. */
export function changedFields(status: RawObject, wanted: RawObject): RawObject | undefined {
  const changed = Object.entries(wanted).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(status[field]),
  );
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map(([field, value]) => [field, value ?? null]));
}
