import type { Mount } from '../../proc/mountinfo.ts';
import { sharedMemoryPath } from './mount-plan.ts';

/** File systems that live as long as their mount: what is in them is nowhere else. */
const shortLived = /^(tmpfs|ramfs|overlay|fuse|fuse\..*|fuseblk)$/;

/** Where container runtimes and the kubelet mount file systems of their own; the token's volume says /var/run, which images make a link. */
const runtimes = ['/dev', '/proc', '/sys', '/run/secrets'];

/**
 * File systems that the container mounted for itself. A restore into a fresh container would find the directory below it. Only whole file
 * systems count: a bind mount shows a part of one that is elsewhere too. `volumePaths`: where volumes of the pod are.
 */
export function findOwnMounts(
  mounts: readonly Mount[],
  volumePaths: readonly string[],
): readonly { readonly path: string; readonly fileSystem: string }[] {
  return mounts
    .filter(
      ({ mountPoint, root, fileSystem }) =>
        mountPoint !== '/' &&
        mountPoint !== sharedMemoryPath &&
        root === '/' &&
        shortLived.test(fileSystem) &&
        !volumePaths.includes(mountPoint) &&
        !runtimes.some((above) => isWithin(mountPoint, above)),
    )
    .map(({ mountPoint, fileSystem }) => ({ path: mountPoint, fileSystem }));
}

const isWithin = (path: string, above: string): boolean =>
  path === above || path.startsWith(`${above}/`);
