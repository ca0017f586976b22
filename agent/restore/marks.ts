import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { sentinels } from '../../core/api/names.ts';
import { placeholderFiles } from '../../core/api/restore.ts';
import { isFailure } from '../../core/failure.ts';
import { controlDirectory } from '../capture/control-directory.ts';
import {
  type ConfinedDirectory,
  claimSentinel,
  withConfined,
  writeSentinel,
} from '../proc/confined-files.ts';
import { watchFile } from './watch-file.ts';

/** What the control directory of a placeholder's container says. Ticks name the init that is meant. */
export type Marks = {
  readonly waitingTicks: number | undefined;
  readonly begunTicks: number | undefined;
  readonly complete: boolean;
  readonly failed: boolean;
};

const nothing: Marks = {
  waitingTicks: undefined,
  begunTicks: undefined,
  complete: false,
  failed: false,
};

/** The control directories of this node's pods; all that is read from them is in the hands of the pod, and confined. */
export interface PlaceholderMarks {
  read(podUID: string, container: string): Promise<Marks>;
  write(podUID: string, container: string, name: string, text: string): Promise<void>;
  /** The same for a file that must not be there yet: of several who write it one succeeds, the others get a Failure 'terminal' SentinelExists. */
  claim(podUID: string, container: string, name: string, text: string): Promise<void>;
  /** Calls `seen` once when an init waits, as soon as the kernel tells; a hint. Returns the end of the watch. */
  watch(podUID: string, container: string, seen: () => void): () => void;
}

/** Through the kubelet's directory of the pod. */
export function kubeletMarks(node: {
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
}): PlaceholderMarks {
  const at = (podUID: string, container: string): ConfinedDirectory =>
    controlDirectory({ ...node, podUID, container });
  return {
    read: async (podUID, container) => {
      try {
        return await withConfined(at(podUID, container), async (handle) => {
          const read = (name: string): Promise<string | undefined> =>
            readSmall(`/proc/self/fd/${handle.fd}/${name}`);
          return {
            waitingTicks: ticksOf(await read(placeholderFiles.waiting)),
            begunTicks: ticksOf(await read(placeholderFiles.begun)),
            complete: (await read(sentinels.restoreComplete)) !== undefined,
            failed: (await read(sentinels.restoreFailed)) !== undefined,
          };
        });
      } catch (error) {
        if (isFailure(error, 'gone')) return nothing;
        throw error;
      }
    },
    write: (podUID, container, name, text) =>
      writeSentinel(at(podUID, container), name, `${text}\n`),
    claim: (podUID, container, name, text) =>
      claimSentinel(at(podUID, container), name, `${text}\n`),
    watch: (podUID, container, seen) =>
      watchFile(at(podUID, container), placeholderFiles.waiting, seen),
  };
}

const longestMark = 256;

/** The text of a small regular file; undefined when there is none. A link, a FIFO or anything else is none. */
async function readSmall(path: string): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    await using file = await open(path, flags);
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestMark), 0, longestMark, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw error;
  }
}

function ticksOf(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^[0-9]{1,15}$/.test(trimmed) ? Number(trimmed) : undefined;
}
