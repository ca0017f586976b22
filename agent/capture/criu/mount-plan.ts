import { type Mount, visibleMounts } from '../../proc/mountinfo.ts';

/** How a mount of the container is treated; see DumpResult.mounts. */
export type PlannedMount = {
  readonly path: string;
  readonly treatment: 'rootfs' | 'criu' | 'external' | 'volume';
};

/** Where a container's shared memory is; a tmpfs of the sandbox or a memory-backed emptyDir. */
export const sharedMemoryPath = '/dev/shm';

/**
 * What happens to each mount. `/proc` is CRIU's: the restored tree lives in a PID namespace of its own, whose /proc must belong to it, or
 * getpid() and /proc disagree and it can never be dumped again. /dev/shm is external to CRIU (which would run `tar --gzip` over it inside
 * the freeze) and its content is ours to save. Everything else is put there again by the runtime of the pod it is restored into.
 */
export function planMounts(mounts: readonly Mount[]): readonly PlannedMount[] {
  return visibleMounts(mounts).map((mount) => ({
    path: mount.mountPoint,
    treatment: treatmentOf(mount),
  }));
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
