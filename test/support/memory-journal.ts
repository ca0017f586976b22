import type { Intent, Journal } from '../../agent/journal/journal.ts';
import { Failure } from '../../core/failure.ts';

/** A journal that lives as long as the map it is given: hand the same map to a second one to play a restart. */
export function memoryJournal(
  rows: Map<string, Intent> = new Map(),
  holders: Set<string> = new Set(),
): Journal {
  return {
    begin: (intent) => {
      rows.delete(intent.contentUID);
      rows.set(intent.contentUID, intent);
    },
    update: (contentUID, change) => {
      const intent = rows.get(contentUID);
      if (intent === undefined) {
        throw new Failure('terminal', 'NoIntent', `the journal has no open intent ${contentUID}`);
      }
      rows.set(contentUID, { ...intent, ...change, contentUID });
    },
    find: (contentUID) => rows.get(contentUID),
    open: () => [...rows.values()],
    finish: (contentUID) => {
      rows.delete(contentUID);
    },
    succeed: (holder) => {
      const predecessors = new Set([...holders].filter((identity) => identity !== holder));
      holders.add(holder);
      return predecessors;
    },
    close: () => {},
  };
}
