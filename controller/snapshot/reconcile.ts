import type { Next } from '../../runtime/reconciler.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import type { SnapshotTargets } from './effect.ts';
import { performSnapshotAction } from './effects.ts';
import { observeSnapshot, type SnapshotSources } from './observe.ts';

/** The reconcile of PodSnapshots; keys are `namespace/name`. */
export function snapshotReconcile(
  deps: SnapshotSources & SnapshotTargets,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith({
    observe: (key, signal) => observeSnapshot(deps, key, signal),
    decide,
    perform: (action, observed, signal) => performSnapshotAction(deps, action, observed, signal),
  });
}
