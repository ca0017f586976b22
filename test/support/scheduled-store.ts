import type { Scheduler } from 'fast-check';
import type { SnapshotStore } from '../../agent/store/store.ts';

/**
 * A store whose steps wait for a scheduler, so that a property can put those of several users in any order: each call before it begins and after it
 * ended, and in a discard the moments before and after it asks what is named. `onStep` hears of each.
 */
export function scheduledStore(
  store: SnapshotStore,
  scheduler: Scheduler,
  who: string,
  onStep: () => void,
): SnapshotStore {
  const turn = (what: string): Promise<void> => {
    onStep();
    return scheduler.schedule(Promise.resolve(), `${who}: ${what}`);
  };
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await turn(what);
    const result = await work();
    await turn(`${what}, done`);
    return result;
  };
  return {
    ...store,
    putBlob: (...given) => step(`put ${given[0]}`, () => store.putBlob(...given)),
    statBlob: (...given) => step(`stat ${given[0]}`, () => store.statBlob(...given)),
    putReference: (...given) => step('put reference', () => store.putReference(...given)),
    deleteReference: (...given) => step('delete reference', () => store.deleteReference(...given)),
    discardBlobs: (candidates, named, signal) =>
      step('discard', () => store.discardBlobs(candidates, () => step('ask', named), signal)),
  };
}
