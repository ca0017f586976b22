import type { RestoredPod } from './observed.ts';

/** Attempts that the pod and those before it have used up, as far as is known. */
export const attemptsOf = ({ attemptsBefore, progress }: RestoredPod): number =>
  attemptsBefore + (progress?.attempts ?? 0);
