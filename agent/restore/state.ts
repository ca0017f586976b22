import type { RestoreDeps } from './deps.ts';
import type { Preparation } from './preparation.ts';
import type { RestoreWork } from './work.ts';

/** What the reconciles of one agent share. Lost in a crash; what counts then is in the control directories. */
export type RestoreState = {
  readonly deps: RestoreDeps;
  /** By cacheKey of the pod. */
  readonly works: Map<string, RestoreWork>;
  /** What is under way for pods whose placeholder is not there yet, by cacheKey. */
  readonly preparations: Map<string, Preparation>;
  /** Asks for another look at a pod. */
  readonly enqueue: (namespace: string, name: string) => void;
};
