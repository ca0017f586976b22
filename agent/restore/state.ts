import type { RestoreDeps } from './deps.ts';
import type { RestoreWork } from './work.ts';

/** What the reconciles of one agent share. Lost in a crash; what counts then is in the control directories. */
export type RestoreState = {
  readonly deps: RestoreDeps;
  /** By cacheKey of the pod. */
  readonly works: Map<string, RestoreWork>;
  /** Asks for another look at a pod. */
  readonly enqueue: (namespace: string, name: string) => void;
};
