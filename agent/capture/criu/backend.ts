import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import { isAlive } from '../../proc/process-table.ts';
import type {
  BackendProbe,
  CaptureBackend,
  CaptureRequest,
  ProcessIdentity,
  RunningCapture,
} from '../backend.ts';
import { dumpArguments, dumpOptions, type MemoryPath } from './arguments.ts';
import { type Cgroup, makeCgroup, removeCgroup, sweepCgroups } from './cgroup.ts';
import { CriuDump } from './dump.ts';
import { holdScript } from './hold.ts';
import { type Launched, launch } from './launch.ts';
import { lockFile, removeLock, sweepLocks } from './lock.ts';
import { type PlannedMount, planMounts } from './mount-plan.ts';
import { preflight } from './preflight.ts';
import { probeCriu } from './probe.ts';
import { readStoppedBefore, settleLeft } from './settle.ts';
import { readSource } from './source.ts';
import { stagingNames } from './staging-names.ts';
import { readMembers } from './tree-state.ts';

export type CriuOptions = {
  readonly criuPath: string;
  /** The agent's procfs; it sees the node's processes (hostPID). */
  readonly procRoot: string;
  /** The node's root directory as the agent sees it, /proc/1/root. */
  readonly hostRoot: string;
  /** The node's cgroup mounts as the agent sees them. */
  readonly cgroupRoot: string;
  /** Where container runtimes keep writable layers, as the node names them. */
  readonly runtimeRoots: readonly string[];
  /** On the node, shared by all its agents: one file a container, held with flock by CRIU. */
  readonly lockDirectory: string;
  /** Checked for room in preflight, where it is a directory of this node. */
  readonly storeDirectory: string | undefined;
  /** After this long the hold gives up by itself and the source runs on, whatever the agent does. */
  readonly holdLimitSeconds: number;
  /** `files` is the quicker one where it was measured (docs/adr/0010). */
  readonly memoryPath: MemoryPath;
  readonly clock: Clock;
};

/** Captures containers of this node with CRIU. */
export function criuBackend(options: CriuOptions): CaptureBackend {
  let probed: { readonly program: string; readonly answer: Promise<BackendProbe> } | undefined;
  const probe = async (signal: AbortSignal): Promise<BackendProbe> => {
    const program = await programIdentity(options.criuPath);
    if (probed?.program !== program) {
      probed = { program, answer: probeCriu(options.criuPath, signal) };
    }
    const answer = await probed.answer;
    // A "no" is asked again: an administrator may have mended it meanwhile.
    if (!answer.usable) probed = undefined;
    return answer;
  };
  return {
    probe,
    preflight: async (request, signal) => preflight(options, await probe(signal), request, signal),
    start: async (request, onProcess, signal) =>
      startDump(options, (await probe(signal)).version, request, onProcess, signal),
    settle: async (left, signal) => {
      const file =
        left.stagingDirectory === undefined
          ? undefined
          : `${left.stagingDirectory}/${stagingNames.stoppedBefore}`;
      const stoppedBefore = await readStoppedBefore(file);
      const answer = await settleLeft(options, { ...left, stoppedBefore }, signal);
      await sweepCgroups(options.cgroupRoot);
      await sweepLocks(options.lockDirectory);
      return answer;
    },
  };
}

/** Which file a path names now: another program under the same path is asked anew. Empty when there is none. */
async function programIdentity(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? '' : `${found.dev}:${found.ino}:${found.mtimeNs}:${found.size}`;
}

async function startDump(
  options: CriuOptions,
  criuVersion: string,
  request: CaptureRequest,
  onProcess: (process: ProcessIdentity) => Promise<void>,
  signal: AbortSignal,
): Promise<RunningCapture> {
  const { root } = request.container;
  const source = await readSource(options.procRoot, root, options.runtimeRoots);
  const mounts = planMounts(source.mounts);
  const stoppedBefore = (await readMembers(options.procRoot, root))
    .filter((member) => member.state === 'stopped')
    .map(({ pid, startTicks }) => ({ pid, startTicks }));
  await prepareStaging(request.stagingDirectory, stoppedBefore);
  const lock = await lockFile(options.lockDirectory, request.container.containerID);
  const cgroup = await makeCgroup(options.cgroupRoot, basename(request.stagingDirectory));
  const launched = await launchIn(options, request, {
    cgroup,
    lock,
    mounts,
    networkNamespaceInode: source.networkNamespaceInode,
  });
  try {
    await onProcess(launched.process);
    signal.throwIfAborted();
    if (!(await isAlive(options.procRoot, root))) {
      throw new Failure('terminal', 'ContainerChanged', `process ${root.pid} has ended`);
    }
  } catch (error) {
    launched.refuse();
    await launched.ended;
    await removeCgroup(cgroup);
    throw error;
  }
  launched.begin();
  return new CriuDump(
    { ...options, criuVersion },
    {
      root,
      stagingDirectory: request.stagingDirectory,
      source,
      mounts,
      options: dumpOptions(mounts, source.networkNamespaceInode),
      stoppedBefore,
      launched,
      watched: request,
      cleanUp: async () => {
        await removeCgroup(cgroup);
        await removeLock(lock);
      },
    },
  );
}

async function prepareStaging(
  stagingDirectory: string,
  stoppedBefore: readonly ProcessIdentity[],
): Promise<void> {
  for (const name of [stagingNames.images, stagingNames.volumes]) {
    await mkdir(`${stagingDirectory}/${name}`, { mode: 0o700 });
  }
  await writeFile(`${stagingDirectory}/${stagingNames.holdScript}`, holdScript, {
    mode: 0o700,
    flag: 'wx',
  });
  await writeFile(
    `${stagingDirectory}/${stagingNames.stoppedBefore}`,
    JSON.stringify(stoppedBefore),
    { mode: 0o600, flag: 'wx' },
  );
}

async function launchIn(
  options: CriuOptions,
  request: CaptureRequest,
  within: {
    readonly cgroup: Cgroup;
    readonly lock: string;
    readonly mounts: readonly PlannedMount[];
    readonly networkNamespaceInode: string;
  },
): Promise<Launched> {
  const { stagingDirectory, container } = request;
  try {
    return await launch({
      procRoot: options.procRoot,
      criuPath: options.criuPath,
      arguments: dumpArguments({
        pid: container.root.pid,
        root: `${options.procRoot}/${container.root.pid}/root`,
        imagesDirectory: `${stagingDirectory}/${stagingNames.images}`,
        actionScript: `${stagingDirectory}/${stagingNames.holdScript}`,
        networkNamespaceInode: within.networkNamespaceInode,
        mounts: within.mounts,
        memoryPath: options.memoryPath,
      }),
      cwd: stagingDirectory,
      outputFile: `${stagingDirectory}/${stagingNames.output}`,
      lockFile: within.lock,
      holdLimitSeconds: options.holdLimitSeconds,
      cgroup: within.cgroup,
      memoryPath: options.memoryPath,
    });
  } catch (error) {
    await removeCgroup(within.cgroup);
    throw error;
  }
}
