/**
 * What a `decide` returns: actions to perform in order, and when to look again if nothing changes before. Without
 * `againAfterMilliseconds` only a change of an observed object brings the key back.
 */
export type Decision<Action> = {
  readonly actions: readonly Action[];
  readonly againAfterMilliseconds?: number;
};

/** A sentence about the state of the source for the end of a failure message; `undefined` is read as untouched. */
export function sourceSentence(state: string | undefined): string {
  if (state === undefined || state === 'Untouched') return 'The source was not touched.';
  if (state === 'Running') return 'The source is running.';
  if (state === 'Terminated') return 'The source was terminated.';
  if (state === 'Frozen')
    return 'The source was frozen when last heard of; the hold ends by itself.';
  return 'The state of the source is unknown.';
}
