import { type Mount, visibleMounts } from '../../proc/mountinfo.ts';
import type { TreatedMount } from '../backend.ts';

/** How a mount of the container is treated. */
export type PlannedMount = TreatedMount;

/** Where a container's shared memory is; a tmpfs of the sandbox or a memory-backed emptyDir. */
export const sharedMemoryPath = '/dev/shm';

/** The name under which it is captured. */
export const sharedMemoryVolume = 'dev-shm';

/**
 * What happens to each mount. `/proc` is CRIU's: the restored tree lives in a PID namespace of its own, whose /proc must belong to it, or
 * getpid() and /proc disagree and it can never be dumped again. /dev/shm is external to CRIU (which would run `tar --gzip` over it inside
 * the freeze) and its content is ours to save. Everything else is put there again by the runtime of the pod it is restored into.
 */
export function planMounts(mounts: readonly Mount[]): readonly PlannedMount[] {
  return visibleMounts(mounts).map((mount) => {
    const treatment = treatmentOf(mount);
    return {
      path: mount.mountPoint,
      treatment,
      ...(treatment === 'volume' ? { volume: sharedMemoryVolume } : {}),
    };
  });
}

function treatmentOf(mount: Mount): PlannedMount['treatment'] {
  if (mount.mountPoint === '/') return 'rootfs';
  if (mount.mountPoint === '/proc') return 'criu';
  if (mount.mountPoint === sharedMemoryPath && mount.fileSystem === 'tmpfs') return 'volume';
  return 'external';
}

/** True for a mount point that CRIU's `--external mnt[PATH]:NAME` cannot express. */
export function isAwkwardMountPoint(path: string): boolean {
  return /[\]\n]/.test(path);
}
