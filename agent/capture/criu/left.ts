import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as z from 'zod';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { identify, listPids, readProc } from '../../proc/process-table.ts';
import type { LeftCapture } from '../backend.ts';
import { cgroupsOf } from './cgroup.ts';
import { stagingNames } from './staging-names.ts';

const sources = z.array(z.object({ pid: z.number().int(), startTicks: z.number() }));

/**
 * What runs, or ran, for staging directories that no journal knows: every process in the cgroup that is named after one, or with a path inside
 * one on its command line (a launcher that has not been moved yet), and the source that was noted there before anything was frozen.
 */
export async function findLeft(
  options: { readonly procRoot: string; readonly cgroupRoot: string },
  stagingDirectories: readonly string[],
): Promise<readonly LeftCapture[]> {
  if (stagingDirectories.length === 0) return [];
  const { procRoot, cgroupRoot } = options;
  const members = await cgroupsOf(cgroupRoot);
  const commands = await commandLines(procRoot);
  const found = stagingDirectories.map(async (stagingDirectory) => {
    const named = commands
      .filter(({ words }) => words.some((word) => word.startsWith(`${stagingDirectory}/`)))
      .map(({ pid }) => pid);
    const pids = new Set([...(members.get(basename(stagingDirectory)) ?? []), ...named]);
    const processes = await Promise.all([...pids].map((pid) => identify(procRoot, pid)));
    return {
      stagingDirectory,
      processes: [
        ...processes
          .filter((one) => one !== undefined)
          .map((criu) => ({ criu, source: undefined })),
        ...(await readSources(stagingDirectory)).map((source) => ({ criu: undefined, source })),
      ],
    };
  });
  return Promise.all(found);
}

async function commandLines(
  procRoot: string,
): Promise<readonly { readonly pid: number; readonly words: readonly string[] }[]> {
  const pids = (await listPids(procRoot)).filter((pid) => pid !== process.pid);
  return Promise.all(
    pids.map(async (pid) => ({
      pid,
      words: ((await readProc(`${procRoot}/${pid}/cmdline`)) ?? '').split('\0'),
    })),
  );
}

/** Written and closed before CRIU is let go: a note that is missing or cut means that nothing was frozen. */
async function readSources(stagingDirectory: string): Promise<readonly ProcessIdentity[]> {
  try {
    const text = await readFile(`${stagingDirectory}/${stagingNames.sources}`, 'utf8');
    return sources.parse(JSON.parse(text));
  } catch {
    return [];
  }
}
