import { type Check, shown } from './check-wording.ts';

/** What stands in the way of putting the mounts back in a restore. */
export const mountChecks = {
  mountPoints: ({ mountPoints }) =>
    mountPoints
      .filter((path) => /[\]\n]/.test(path))
      .map(
        (path) =>
          `the mount point ${shown(JSON.stringify(path))} has a character CRIU cannot be given; mount the volume elsewhere`,
      ),

  ownMounts: ({ ownMounts }) =>
    ownMounts.map(
      ({ path, fileSystem }) =>
        `a ${shown(fileSystem)} is mounted at ${shown(path)} that is no volume of the pod: what is in it cannot be captured; mount an emptyDir there instead`,
    ),
} as const satisfies Readonly<Record<string, Check>>;
