import type { Next } from '../../runtime/reconciler.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import { type CheckpointTargets, performCheckpointAction } from './effects.ts';
import { type CheckpointSources, observeCheckpoint } from './observe.ts';

/** The reconcile of DynamoCheckpoints; keys are `namespace/name`. */
export function checkpointReconcile(
  deps: CheckpointSources & CheckpointTargets,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith({
    observe: (key, signal) => observeCheckpoint(deps, key, signal),
    decide,
    perform: (action, observed, signal) => performCheckpointAction(deps, action, observed, signal),
  });
}
