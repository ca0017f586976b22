import { type FSWatcher, watch } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { isFailure } from '../../core/failure.ts';
import { type ConfinedDirectory, openConfined } from '../proc/confined-files.ts';

/**
 * Calls `seen` once when a file appears in a directory that may not be there yet. Returns the end of the watch. It is a hint: where the kernel
 * gives no watch nothing is ever seen, and who relies on it looks now and then by himself.
 */
export function watchFile(
  directory: ConfinedDirectory,
  name: string,
  seen: () => void,
): () => void {
  const names = [...directory.below, name];
  let watcher: FSWatcher | undefined;
  let ended = false;
  const end = (): void => {
    ended = true;
    watcher?.close();
  };
  const saw = (): void => {
    if (ended) return;
    end();
    seen();
  };
  /** Watches the deepest directory that is there for the next name, until all are. */
  const arm = async (): Promise<void> => {
    for (let depth = directory.below.length; depth >= 0 && !ended; depth -= 1) {
      const { base } = directory;
      const handle = await openConfined({ base, below: names.slice(0, depth) }).catch(goneIsNone);
      if (handle === undefined) continue;
      try {
        const next = names[depth] ?? '';
        const path = `/proc/self/fd/${handle.fd}`;
        const deeper = (): void => (depth < directory.below.length ? again() : saw());
        watcher?.close();
        if (ended) return;
        watcher = watch(path, { persistent: false }, (_, changed) => {
          if (changed === next) deeper();
        });
        watcher.on('error', end);
        // What came before the watch is not told by it.
        if (
          await lstat(`${path}/${next}`).then(
            () => true,
            () => false,
          )
        )
          deeper();
        return;
      } finally {
        await handle.close();
      }
    }
  };
  const again = (): void => {
    arm().catch(end);
  };
  again();
  return end;
}

function goneIsNone(error: unknown): undefined {
  if (!isFailure(error, 'gone')) throw error;
}
