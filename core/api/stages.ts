/** Where an order stands; `status.stage` of snapshots and contents. */
export const stages = [
  'Pending',
  'Gating',
  'Waiting',
  'Queued',
  'Preparing',
  'Freezing',
  'Publishing',
  'Finishing',
  'Captured',
  'Failed',
] as const;
/** One stage of an order. */
export type Stage = (typeof stages)[number];

/** What is known of the source's processes. `Running`: captured and resumed. */
export const sourceStates = ['Untouched', 'Frozen', 'Running', 'Terminated', 'Unknown'] as const;
/** One state of the source. */
export type SourceState = (typeof sourceStates)[number];
