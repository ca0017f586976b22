import type { Finding } from '../loop.ts';
import {
  cancelContent,
  claimContent,
  createContent,
  deleteContent,
  failContent,
  releaseContent,
} from './content-effects.ts';
import type { SnapshotTargets } from './effect.ts';
import type { ObservedSnapshot, SnapshotAction } from './observed.ts';
import {
  addFinalizer,
  bind,
  explain,
  fail,
  mirror,
  removeFinalizer,
  wait,
} from './snapshot-effects.ts';

/** Performs one action of a snapshot. */
export function performSnapshotAction(
  targets: SnapshotTargets,
  action: SnapshotAction,
  observed: ObservedSnapshot,
  signal: AbortSignal,
): Promise<Finding<ObservedSnapshot>> {
  switch (action.do) {
    case 'addFinalizer':
      return addFinalizer(targets, action, observed, signal);
    case 'createContent':
      return createContent(targets, action, observed, signal);
    case 'bind':
      return bind(targets, action, observed, signal);
    case 'claimContent':
      return claimContent(targets, action, observed, signal);
    case 'explain':
      return explain(targets, action, observed, signal);
    case 'wait':
      return wait(targets, action, observed, signal);
    case 'mirror':
      return mirror(targets, action, observed, signal);
    case 'fail':
      return fail(targets, action, observed, signal);
    case 'cancelContent':
      return cancelContent(targets, action, observed, signal);
    case 'failContent':
      return failContent(targets, action, observed, signal);
    case 'deleteContent':
      return deleteContent(targets, action, observed, signal);
    case 'releaseContent':
      return releaseContent(targets, action, observed, signal);
    case 'removeFinalizer':
      return removeFinalizer(targets, action, observed, signal);
  }
}
