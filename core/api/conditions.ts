import * as z from 'zod';
import { isProgressReason, type ProgressReason } from './reasons.ts';

/** A metav1.Condition as it stands in status. */
export const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string().default(''),
  lastTransitionTime: z.string().default(''),
  observedGeneration: z.number().int().optional(),
});
/** One condition; `lastTransitionTime` is RFC 3339 with seconds. */
export type Condition = z.infer<typeof conditionSchema>;
/** The conditions of an object; each type at most once. */
export type Conditions = readonly Condition[];

/** The condition of a type, if present. */
export function findCondition(conditions: Conditions, type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** Present and True. */
export function isTrue(conditions: Conditions, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** What is waited for, or done, as Progressing=True says it. */
export type Progressing = { readonly reason: ProgressReason; readonly message: string };

/** Reads Progressing; undefined where it is not True, or has a word that nobody knows. */
export function progressOf(conditions: Conditions): Progressing | undefined {
  const found = findCondition(conditions, 'Progressing');
  if (found?.status !== 'True' || !isProgressReason(found.reason)) return undefined;
  return { reason: found.reason, message: found.message };
}

/** Longest message that the API server takes (metav1.Condition); a longer one would make it refuse the whole status. */
const longestMessage = 32_768;

function fitting(message: string): string {
  if (message.length <= longestMessage) return message;
  // A cut through a surrogate pair would leave text that is not Unicode.
  return `${message.slice(0, longestMessage - 1).toWellFormed()}…`;
}

/**
 * The list with one condition set, its message cut to what the API server takes. `lastTransitionTime` moves only when the status does (metav1 convention); the same list
 * is returned when nothing changed, so that a caller can skip the write.
 */
export function withCondition(
  conditions: Conditions,
  wanted: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Conditions {
  const next = { ...wanted, message: fitting(wanted.message) };
  const old = findCondition(conditions, next.type);
  if (
    old !== undefined &&
    old.status === next.status &&
    old.reason === next.reason &&
    old.message === next.message &&
    old.observedGeneration === next.observedGeneration
  ) {
    return conditions;
  }
  const lastTransitionTime = old?.status === next.status ? old.lastTransitionTime : now;
  const set: Condition = { ...next, lastTransitionTime };
  return old === undefined
    ? [...conditions, set]
    : conditions.map((condition) => (condition.type === next.type ? set : condition));
}

/** A condition to be set: type, status, reason, message. */
export type WantedCondition = readonly [
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
];

/** The conditions of an object with several set, each observed at its generation. */
export const withConditions = (
  object: {
    readonly metadata: { readonly generation: number };
    readonly status: { readonly conditions: Conditions };
  },
  wanted: readonly WantedCondition[],
  now: string,
): Conditions =>
  wanted.reduce<Conditions>(
    (conditions, [type, status, reason, message]) =>
      withCondition(
        conditions,
        { type, status, reason, message, observedGeneration: object.metadata.generation },
        now,
      ),
    object.status.conditions,
  );

/** RFC 3339 with seconds, the form metav1.Time takes. */
export const timestamp = (wallMilliseconds: number): string =>
  `${new Date(wallMilliseconds).toISOString().slice(0, 19)}Z`;

/** Both conditions of a terminal or pending snapshot at once; Ready and Failed are never both True. */
export function readyAndFailed(
  conditions: Conditions,
  outcome:
    | { readonly state: 'pending'; readonly message: string }
    | { readonly state: 'ready'; readonly message: string }
    | { readonly state: 'failed'; readonly reason: string; readonly message: string },
  now: string,
  observedGeneration?: number,
): Conditions {
  const generation = observedGeneration === undefined ? {} : { observedGeneration };
  const set = (
    list: Conditions,
    type: string,
    status: 'True' | 'False',
    reason: string,
  ): Conditions =>
    withCondition(list, { type, status, reason, message: outcome.message, ...generation }, now);
  if (outcome.state === 'pending') return set(conditions, 'Ready', 'False', 'Pending');
  if (outcome.state === 'ready') {
    return set(set(conditions, 'Failed', 'False', 'Captured'), 'Ready', 'True', 'Captured');
  }
  return set(set(conditions, 'Ready', 'False', outcome.reason), 'Failed', 'True', outcome.reason);
}
