import { stat } from 'node:fs/promises';
import type { Mount } from '../../proc/mountinfo.ts';
import { listProc, readProc, readProcLink } from '../../proc/process-table.ts';
import type { Descriptor } from '../facts.ts';

/** Opened by name only; the look never opens what the workload named. */
const terminalMaster = /^\/dev\/(pts\/)?ptmx$/;

/** The descriptors of a process. `mounts`: its mount table, to keep off file systems that may not answer. */
export async function readDescriptors(
  procRoot: string,
  pid: number,
  mounts: readonly Mount[],
): Promise<readonly Descriptor[]> {
  const directory = `${procRoot}/${pid}/fd`;
  const found = await Promise.all(
    (await listProc(directory)).map(async (name): Promise<Descriptor | undefined> => {
      const target = await readProcLink(`${directory}/${name}`);
      if (target === undefined) return undefined;
      const known = { fd: Number(name), target };
      if (terminalMaster.test(target)) {
        const info = (await readProc(`${procRoot}/${pid}/fdinfo/${name}`)) ?? '';
        const index = /^tty-index:\s*(\d+)$/m.exec(info)?.[1];
        return index === undefined ? known : { ...known, masterOf: `/dev/pts/${index}` };
      }
      if (!isOnAnsweringFileSystem(target, mounts)) return known;
      return { ...known, ...(await kindOf(`${directory}/${name}`)) };
    }),
  );
  return found.filter((descriptor) => descriptor !== undefined);
}

/** Through the link of procfs: the open file itself, whatever its name leads to by now. */
async function kindOf(link: string): Promise<Omit<Descriptor, 'fd' | 'target'>> {
  // Closed meanwhile: nothing to hold against it.
  const status = await stat(link, { bigint: true }).catch(() => undefined);
  if (status === undefined) return {};
  const number = deviceName(status.rdev);
  if (status.isBlockDevice()) return { device: { kind: 'block', number } };
  if (status.isCharacterDevice()) return { device: { kind: 'character', number } };
  const unlinked = status.isFile() && status.nlink === 0n;
  return unlinked ? { unlinkedBytes: Number(status.blocks * 512n) } : {};
}

/** `major:minor` from the device number stat gives. */
export function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** A server that does not answer would hold up the look for ever. */
const remote = /^(nfs|cifs|smb|ceph|fuse|9p|glusterfs|lustre|afs|gfs2|ocfs2|autofs)/;

/** True for a file of the container on a file system of this node. */
export function isOnAnsweringFileSystem(path: string, mounts: readonly Mount[]): boolean {
  if (!path.startsWith('/')) return false;
  let best: Mount | undefined;
  for (const mount of mounts) {
    const inside =
      mount.mountPoint === '/' ||
      path === mount.mountPoint ||
      path.startsWith(`${mount.mountPoint}/`);
    if (inside && mount.mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  }
  return best !== undefined && !remote.test(best.fileSystem);
}
