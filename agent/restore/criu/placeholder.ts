import { controlVolume } from '../../../core/api/names.ts';
import { Failure } from '../../../core/failure.ts';
import { readMounts } from '../../capture/criu/source.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import type { Mount } from '../../proc/mountinfo.ts';
import { isAlive } from '../../proc/process-table.ts';
import type { RestoreTarget } from '../backend.ts';
import { cgroupFilesOf } from './cgroup-files.ts';
import type { EnterRequest } from './enter.ts';

/**
 * Where everything of ours is mounted, in a copy of the placeholder's mount namespace that nobody else sees. Below the control volume, because that is
 * there in every placeholder; not over it, or CRIU would give the restored process this in its place.
 */
export const stage = `${controlVolume.mountPath}/.cryopod`;

/** A placeholder as it is entered, and where it has mounts. */
export type Entrance = {
  readonly target: RestoreTarget;
  readonly mounts: readonly Mount[];
  /** Its root directory as the agent sees it; for looking only. */
  readonly root: string;
  /** Everything of an EnterRequest but the program. */
  readonly entering: Omit<EnterRequest, 'program'>;
};

/** What entering a placeholder takes from this node. */
export type EntranceOptions = {
  readonly procRoot: string;
  /** The node's cgroup mounts as the agent sees them. */
  readonly cgroupRoot: string;
  /** The static program of images/enter. */
  readonly enterPath: string;
  /** CRIU, GNU tar, loader, libraries and `remove`: everything that runs inside the placeholder. */
  readonly bundleDirectory: string;
};

/** Reads a placeholder. Throws RestoreFailed when it has ended. */
export async function entranceTo(
  options: EntranceOptions,
  target: RestoreTarget,
): Promise<Entrance> {
  const { procRoot, cgroupRoot, enterPath, bundleDirectory } = options;
  const { placeholder } = target;
  const mounts = await readMounts(procRoot, placeholder.pid);
  const cgroupFiles = await cgroupFilesOf(procRoot, cgroupRoot, placeholder.pid);
  if (!(await isAlive(procRoot, placeholder))) throw ended(placeholder);
  return {
    ...{ target, mounts, root: `${procRoot}/${placeholder.pid}/root/` },
    entering: {
      ...{ enterPath, cgroupFiles, stage },
      process: placeholder,
      trees: { bundle: bundleDirectory },
    },
  };
}

const ended = ({ pid }: ProcessIdentity): Failure =>
  new Failure('terminal', 'RestoreFailed', `the placeholder (process ${pid}) has ended`);

/** Mounts that the dump took as given. */
export const externalMounts = ({ container }: RestoreTarget): readonly string[] =>
  container.mounts
    .filter(({ treatment }) => treatment === 'external' || treatment === 'volume')
    .map(({ path }) => path);
