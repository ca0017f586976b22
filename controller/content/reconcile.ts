import type { Next } from '../../runtime/reconciler.ts';
import { reconcileWith } from '../loop.ts';
import { decide } from './decide.ts';
import { type ContentTargets, performContentAction } from './effects.ts';
import { type ContentSources, observeContent } from './observe.ts';
import type { ContentAction, ObservedContent } from './observed.ts';

/** The reconcile of PodSnapshotContents; keys are names. Their routing and their end are decided here. */
export function contentReconcile(
  deps: ContentSources & ContentTargets,
): (key: string, signal: AbortSignal) => Promise<Next> {
  return reconcileWith<ObservedContent, ContentAction>({
    observe: (key, signal) => observeContent(deps, key, signal),
    decide,
    perform: (action, observed, signal) => performContentAction(deps, action, observed, signal),
  });
}
