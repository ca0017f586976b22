import type { IntentStep } from '../../../../../agent/journal/journal.ts';
import type { Observed } from '../../../../../agent/order/observed.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../../../core/api/pod-snapshot-content.ts';

/** A work order as parsed. */
export function content(
  change: Record<string, unknown> = {},
  spec = {},
  status = {},
): PodSnapshotContent {
  const parsed = parsePodSnapshotContent({
    metadata: { name: 'podsnapshotcontent-1', uid: 'uid-1', generation: 1, ...change },
    spec: {
      snapshotRef: { namespace: 'default', name: 'one', uid: 's-1' },
      source: { nodeName: 'node-a', podRef: { name: 'p', uid: 'p-1', containers: ['main'] } },
      ...spec,
    },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

/** A status with that condition. */
export const isTrue = (type: string, reason: string) => ({
  conditions: [{ type, status: 'True', reason, message: 'm', lastTransitionTime: '' }],
});

/** An order that could be captured now. */
export const base: Observed = {
  content: content(),
  mine: true,
  refusals: [],
  gate: 'passed',
  source: { state: 'ready' },
  turn: { state: 'granted' },
  heldBack: undefined,
  lease: { state: 'held', takeoverUnannounced: false },
  work: { state: 'none' },
  intent: undefined,
  hold: 'ended',
  labelled: false,
  unfinished: false,
  deadlineLeftMilliseconds: 60_000,
  note: undefined,
};

export const cancelled = content({}, { cancel: true });
export const running = {
  state: 'running',
  stage: 'Freezing',
  cancelling: false,
  progress: undefined,
} as const;
/** An intent of an attempt that is not settled. */
export const open = (step: IntentStep) => ({
  step,
  attempt: 1,
  settled: false,
});
