import { errorText, Failure } from '../../../core/failure.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import {
  type Mount,
  overlayUpperDirectory,
  parseMountinfo,
  visibleMounts,
} from '../../proc/mountinfo.ts';
import { isAlive, readProc, readProcLink } from '../../proc/process-table.ts';
import { hasOwnUserNamespace } from './process-facts.ts';

/** What a dump needs to know of the source, read while it runs. */
export type Source = {
  readonly mounts: readonly Mount[];
  /** The writable layer's directory, as the node names it; undefined where the container has none. */
  readonly upperDirectory: string | undefined;
  readonly networkNamespaceInode: string;
  /** Where descriptors 0, 1 and 2 of the root process lead, empty where closed. */
  readonly stdio: readonly string[];
};

/** The mounts of a process that a path lookup can reach. */
export async function readMounts(procRoot: string, pid: number): Promise<readonly Mount[]> {
  return visibleMounts(parseMountinfo((await readProc(`${procRoot}/${pid}/mountinfo`)) ?? ''));
}

/** Reads the source and makes sure that all of it came from one process. Throws Failure 'terminal' ContainerChanged or PreflightFailed. */
export async function readSource(
  procRoot: string,
  root: ProcessIdentity,
  runtimeRoots: readonly string[],
): Promise<Source> {
  const directory = `${procRoot}/${root.pid}`;
  const mounts = parseMountinfo((await readProc(`${directory}/mountinfo`)) ?? '');
  const namespace = /^net:\[(\d+)\]$/.exec((await readProcLink(`${directory}/ns/net`)) ?? '');
  const stdio = await Promise.all(
    [0, 1, 2].map(async (fd) => (await readProcLink(`${directory}/fd/${fd}`)) ?? ''),
  );
  if (!(await isAlive(procRoot, root)) || namespace?.[1] === undefined) {
    throw new Failure(
      'terminal',
      'ContainerChanged',
      `process ${root.pid} of the source has ended`,
    );
  }
  // After the mount table was read, and there is no way back into the node's: preflight's look may be out of date.
  if (await hasOwnUserNamespace(procRoot, root.pid)) {
    const message = 'the container is in a user namespace of its own, which cannot be captured';
    throw new Failure('terminal', 'PreflightFailed', message);
  }
  return {
    mounts,
    upperDirectory: upperDirectoryOf(mounts, runtimeRoots),
    networkNamespaceInode: namespace[1],
    stdio,
  };
}

/**
 * The directory of the container's writable layer. Accepted only below the container runtimes' own directories: the agent reads it as
 * root, and what a mount table says must not lead it anywhere else. Undefined for an overlay without one, which nobody can write to.
 * Throws Failure 'terminal' PreflightFailed.
 */
export function upperDirectoryOf(
  mounts: readonly Mount[],
  runtimeRoots: readonly string[],
): string | undefined {
  const root = visibleMounts(mounts).find((mount) => mount.mountPoint === '/');
  const upper = root === undefined ? undefined : overlayUpperDirectory(root);
  if (upper === undefined && root?.fileSystem === 'overlay') return undefined;
  if (root === undefined || upper === undefined) {
    const what = root === undefined ? 'not visible' : `a ${root.fileSystem}`;
    throw new Failure(
      'terminal',
      'PreflightFailed',
      `the container's root is ${what}, not an overlay`,
    );
  }
  const inside = runtimeRoots.some((directory) => upper.startsWith(`${directory}/`));
  if (!inside || upper.split('/').some((part) => part === '..' || part === '.')) {
    const message = `the writable layer is at ${upper}, outside ${runtimeRoots.join(', ')}`;
    throw new Failure('terminal', 'PreflightFailed', message);
  }
  return upper;
}

/** As a blocker's message rather than a throw. */
export function upperDirectoryProblem(
  mounts: readonly Mount[],
  runtimeRoots: readonly string[],
): string | undefined {
  try {
    upperDirectoryOf(mounts, runtimeRoots);
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}
