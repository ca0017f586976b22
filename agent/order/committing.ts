import { isTrue } from '../../core/api/conditions.ts';
import type { Case } from './decide.ts';
import type { Action, Observed } from './observed.ts';

type WithLease = (o: Case, actions: readonly Action[]) => readonly Action[];

const lookAgain: Action = { do: 'again', afterMilliseconds: 0 };

/** A frozen source waits for a decision, whatever became of the order, and no worker is still at it. */
export const isCommitting = (o: Observed): boolean =>
  o.intent?.step === 'committing' && o.work.state !== 'running';

/** Something of the order may lie in the store. Of a source that was to be ended nobody notes when; it is looked for. */
export const mayStand = (o: Case): boolean => {
  const step = o.intent?.step;
  const ends = o.content.spec.afterCapture === 'Terminate' && step !== undefined;
  return ends || step === 'publishing' || step === 'published';
};

/** Lets the source run on and counts the attempt; what was published for its end is taken back first, by whoever may. */
const runOn = (o: Pick<Observed, 'hold'>): readonly Action[] => [
  // While the hold waits, nobody else can have captured the source: what stands is this attempt's.
  ...(o.hold === 'waits' ? [{ do: 'discardArtifact', onFailure: 'go on' } as const] : []),
  { do: 'runSource' },
  lookAgain,
];

/**
 * The source waits for a decision, and the content is as the API server has it now. Ready was stored: the source ends, its pod first, so that
 * no restart policy starts it afresh. The order ended otherwise, or is to, or the hold is gone: the source runs on. Neither: Ready is written,
 * however late it is; only the controller's cancel can say otherwise.
 */
export function committing(
  o: Case,
  withLease: WithLease,
  closing: readonly Action[],
): readonly Action[] {
  const { metadata, spec, status } = o.content;
  const { conditions } = status;
  const bytesGone = isTrue(conditions, 'ArtifactDeleted');
  if (isTrue(conditions, 'Ready') && !bytesGone) {
    const tell = withLease(o, [{ do: 'reportTerminated' }, ...closing]);
    return [{ do: 'deletePod' }, { do: 'endSource' }, ...tell];
  }
  const over = bytesGone || isTrue(conditions, 'Failed') || spec.cancel;
  if (over || metadata.deletionTimestamp !== undefined || o.hold === 'ended') return runOn(o);
  return withLease(o, [{ do: 'reportReady' }, lookAgain]);
}
