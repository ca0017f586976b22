import type { Next } from '../../runtime/reconciler.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import { performSnapshotJobAction, type SnapshotJobTargets } from './effects.ts';
import { observeSnapshotJob, type SnapshotJobSources } from './observe.ts';

/** The reconcile of SnapshotJobs; keys are `namespace/name`. */
export function snapshotJobReconcile(
  deps: SnapshotJobSources & SnapshotJobTargets,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith({
    observe: (key, signal) => observeSnapshotJob(deps, key, signal),
    decide,
    perform: (action, observed, signal) => performSnapshotJobAction(deps, action, observed, signal),
  });
}
