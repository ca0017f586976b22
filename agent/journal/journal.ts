import type { CaptureProcesses } from '../capture/backend.ts';

/** How far an order got, as intents: each is durable before the effect it announces. */
export const intentSteps = ['staging', 'dumping', 'dumped', 'publishing', 'published'] as const;
export type IntentStep = (typeof intentSteps)[number];

/** Everything needed to undo or finish a capture after a crash. */
export type Intent = {
  readonly contentUID: string;
  readonly contentName: string;
  readonly namespace: string;
  readonly snapshotName: string;
  readonly podUID: string;
  readonly podName: string;
  readonly attempt: number;
  readonly step: IntentStep;
  readonly stagingDirectory: string;
  /** Empty as long as nothing is known of the source. */
  readonly processes: readonly CaptureProcesses[];
  /** leaseTransitions under which the attempt began. */
  readonly fence: number;
  /** Facts gathered so far (freeze time, result of the dump), JSON. */
  readonly facts: string;
};

/** The agent's own memory: intents are written before effects, and observed, never replayed, after a crash. */
export interface Journal {
  /** Durable on return. One open intent a content: replaces an older attempt's. */
  begin(intent: Intent): void;
  /** Durable on return. */
  update(contentUID: string, change: Partial<Omit<Intent, 'contentUID'>>): void;
  find(contentUID: string): Intent | undefined;
  open(): readonly Intent[];
  finish(contentUID: string): void;
  /**
   * Notes the identity under which this process takes leases, durable on return, and returns those of its predecessors. The journal is
   * open in one process at a time, so they are dead, and nobody need wait for their leases to run out.
   */
  succeed(holder: string): ReadonlySet<string>;
  close(): void;
}
