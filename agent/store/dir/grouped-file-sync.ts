import type { FileHandle } from 'node:fs/promises';
import { groupedSync } from './grouped-sync.ts';

/** Files brought to the disk at the same time. More would take all threads that read and write. */
const lanes = 2;

/**
 * Makes files durable in groups: those that were written while an earlier group was on its way. The first of a group commits the file system's
 * journal, and the others find that done: on a disk that takes milliseconds for it, most of a publish would be waiting otherwise. Where one
 * fails, all of its group do: it is the disk's failure.
 */
export function groupedFileSync(): (file: FileHandle) => Promise<void> {
  let waiting: FileHandle[] = [];
  const syncGroup = groupedSync(async () => {
    const group = waiting.values();
    waiting = [];
    const lane = async (): Promise<void> => {
      for (const file of group) await file.datasync();
    };
    const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  });
  return (file) => {
    waiting.push(file);
    return syncGroup();
  };
}
