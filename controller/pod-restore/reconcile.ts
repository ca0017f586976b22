import type { Next } from '../../runtime/reconciler.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import { type PodRestoreTargets, performPodRestoreAction } from './effects.ts';
import { observePodRestore, type PodRestoreSources } from './observe.ts';

/** The reconcile of PodRestores; keys are `namespace/name`. */
export function podRestoreReconcile(
  deps: PodRestoreSources & PodRestoreTargets,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith({
    observe: (key, signal) => observePodRestore(deps, key, signal),
    decide,
    perform: (action, observed, signal) => performPodRestoreAction(deps, action, observed, signal),
  });
}
