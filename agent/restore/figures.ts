import { annotations } from '../../core/api/names.ts';
import type { RestoreReason } from '../../core/api/restore.ts';
import {
  type RestoreProgress,
  restoreProgressCondition,
  restoreProgressMessage,
  restoreProgressReason,
} from '../../core/api/restore-progress.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { Sight } from './observe.ts';

const defaultMaximumAttempts = 3;
/** Whoever writes a pod by hand is not to bind the node for ever. */
const mostAttempts = 100;

/** How many containers of the pod may be restored into, as the pod says it. */
export function maximumAttemptsOf({ metadata }: Pod): number {
  const text = metadata.annotations[annotations.restoreMaximumAttempts] ?? '';
  if (!/^[1-9][0-9]{0,2}$/.test(text)) return defaultMaximumAttempts;
  return Math.min(Number(text), mostAttempts);
}

/** The figures of a restore, told with each report by the condition that programs read. */
export function figuresOf(
  { observed, pod, targets }: Sight,
  reason: RestoreReason,
): RestoreProgress {
  const names = new Set(targets.map(({ name }) => name));
  const restarts = (pod?.status.containerStatuses ?? [])
    .filter(({ name }) => names.has(name))
    .map(({ restartCount }) => restartCount);
  // A container that only waits has not been tried.
  const tried = Math.max(0, ...restarts) + (reason === 'RestorePending' ? 0 : 1);
  const attempts = Math.min(tried, observed.maximumAttempts);
  const { work } = observed;
  if (reason === 'RestoreInProgress') {
    return { attempts, step: observed.placeholder.state === 'begun' ? 'Restoring' : 'Fetching' };
  }
  return { attempts, ...(work.state === 'restored' ? work.figures : {}) };
}

/** The condition as it goes into a pod's status. */
export const figuresCondition = (figures: RestoreProgress, now: string) => ({
  type: restoreProgressCondition,
  status: 'True',
  reason: restoreProgressReason,
  message: restoreProgressMessage(figures),
  lastTransitionTime: now,
});
