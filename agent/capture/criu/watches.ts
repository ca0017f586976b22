import type { Mount } from '../../proc/mountinfo.ts';
import { readProc } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';
import type { ProcessFacts } from '../facts.ts';

/** Which file of the container's root a process watches with inotify: by inode, because that is all the kernel says. */
type Watch = { readonly who: string; readonly inode: bigint };

/** Paths of the watched files, and a sentence for each watch to which none leads. */
export type Watches = { readonly paths: readonly string[]; readonly unnamed: readonly string[] };

/** More would not fit on a command line. */
const mostWatchedFiles = 1000;

/**
 * What CRIU has to be told about inotify. It asks the file system of each watch for the path, and an overlay does not answer; left to itself it
 * then looks at a few places such as /etc and fails in the middle of the freeze. Reads only; a path found is believed by nobody: CRIU compares the
 * inode itself.
 */
export async function findWatches(
  procRoot: string,
  pid: number,
  processes: readonly ProcessFacts[],
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<Watches> {
  const root = mounts.find((mount) => mount.mountPoint === '/' && mount.fileSystem === 'overlay');
  if (root === undefined) return { paths: [], unnamed: [] };
  const watches: Watch[] = [];
  for (const process of processes) {
    for (const { fd, target } of process.descriptors) {
      if (target !== 'anon_inode:inotify') continue;
      const text = (await readProc(`${procRoot}/${process.pid}/fdinfo/${fd}`)) ?? '';
      const who = `process ${process.pid} (${process.command}), descriptor ${fd}`;
      watches.push(...parseWatches(text, root.device).map((inode) => ({ who, inode })));
    }
  }
  const inodes = [...new Set(watches.map(({ inode }) => inode))];
  if (inodes.length > mostWatchedFiles) {
    const message = `${inodes.length} files of the container's root are watched with inotify, at most ${mostWatchedFiles} can be saved`;
    return { paths: [], unnamed: [message] };
  }
  const pathOf = await findPaths(`${procRoot}/${pid}/root/`, inodes, signal);
  return {
    // The root itself CRIU finds without being told, and would not find by this name.
    paths: inodes.flatMap((inode) => pathOf.get(inode) ?? []).filter((path) => path !== '/'),
    unnamed: watches
      .filter(({ inode }) => !pathOf.has(inode))
      .map(
        ({ who }) =>
          `${who} watches a file with inotify that has no path any more, or none that can be written; let the program remove the watch`,
      ),
  };
}

/** Inodes watched on a device (`major:minor`), from the fdinfo of an inotify descriptor. */
export function parseWatches(fdinfo: string, device: string): readonly bigint[] {
  return [...fdinfo.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+) sdev:([0-9a-f]+) /gm)].flatMap(
    ([, inode, number]) => {
      // The kernel's own form: twenty bits of minor below the major.
      const dev = BigInt(`0x${number}`);
      return `${dev >> 20n}:${dev & 0xfffffn}` === device ? [BigInt(`0x${inode}`)] : [];
    },
  );
}

/** One path of each inode, absolute within the root. Follows no link and leaves the root's file system nowhere, as CRIU will look. */
async function findPaths(
  root: string,
  inodes: readonly bigint[],
  signal: AbortSignal,
): Promise<ReadonlyMap<bigint, string>> {
  if (inodes.length === 0) return new Map();
  const anyOf = inodes.flatMap((inode, index) => [
    ...(index === 0 ? [] : ['-o']),
    '-inum',
    String(inode),
  ]);
  const argv = ['find', root, '-xdev', '(', ...anyOf, ')', '-printf', '%i /%P\\0'];
  const { stdout } = await run(argv, { signal });
  const found = new Map<bigint, string>();
  for (const line of stdout.split('\0').slice(0, -1)) {
    const space = line.indexOf(' ');
    const path = line.slice(space + 1);
    // A name that is not UTF-8 cannot be passed on as it is.
    if (!path.includes('\ufffd')) found.set(BigInt(line.slice(0, space)), path);
  }
  return found;
}
