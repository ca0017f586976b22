import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import { type Mount, visibleMounts } from '../../proc/mountinfo.ts';
import { isAlive } from '../../proc/process-table.ts';
import type {
  BackendProbe,
  CaptureBackend,
  CaptureProcesses,
  CaptureRequest,
  ProcessIdentity,
  RunningCapture,
  SourceContainer,
} from '../backend.ts';
import { dumpArguments, dumpOptions, type MemoryPath } from './arguments.ts';
import { type Cgroup, makeCgroup, removeCgroup, sweepCgroups } from './cgroup.ts';
import { commitHolds, decideHolds, outlive } from './committed-hold.ts';
import { ContainerDump } from './container-dump.ts';
import { CriuDump } from './dump.ts';
import { holdScript } from './hold.ts';
import { type Launched, launch } from './launch.ts';
import { findLeft } from './left.ts';
import { lockFile, removeLock, sweepLocks } from './lock.ts';
import { type PlannedMount, planPod } from './mount-plan.ts';
import { preflight } from './preflight.ts';
import { probeCriu } from './probe.ts';
import { readProcessFacts } from './process-facts.ts';
import { readStoppedBefore, settleLeft } from './settle.ts';
import { readMounts, readSource, type Source } from './source.ts';
import { namesOf, stagingNames } from './staging-names.ts';
import { readMembers } from './tree-state.ts';
import { findWatches } from './watches.ts';

export type CriuOptions = {
  readonly criuPath: string;
  /** The agent's procfs; it sees the node's processes (hostPID). */
  readonly procRoot: string;
  /** The node's root directory as the agent sees it, /proc/1/root. */
  readonly hostRoot: string;
  /** The kubelet's directory, as the node names it: emptyDirs are below it. */
  readonly kubeletDirectory: string;
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
  /** The same for a hold that waits for a decision, which only an agent gives (ADR 11). */
  readonly commitLimitSeconds: number;
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
  const backend: CaptureBackend = {
    probe,
    preflight: async (request, signal) => preflight(options, await probe(signal), request, signal),
    start: async (request, onProcesses, signal) =>
      startDump(options, (await probe(signal)).version, request, onProcesses, signal),
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
    isCommitted: ({ processes }, signal) => commitHolds(options, criusOf(processes), signal),
    decide: async (capture, decision, signal) => {
      await decideHolds(options, criusOf(capture.processes), decision, signal);
      if (decision === 'run') return backend.settle(capture, signal);
      await sweepCgroups(options.cgroupRoot);
      await sweepLocks(options.lockDirectory);
      const sources = capture.processes.map(({ source }) => source);
      return { sourceRuns: await outlive(options, sources, signal) };
    },
    findLeft: (stagingDirectories) => findLeft(options, stagingDirectories),
  };
  return backend;
}

const criusOf = (
  processes: readonly CaptureProcesses[],
): readonly (ProcessIdentity | undefined)[] => processes.map(({ criu }) => criu);

/** Which file a path names now: another program under the same path is asked anew. Empty when there is none. */
async function programIdentity(path: string): Promise<string> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? '' : `${found.dev}:${found.ino}:${found.mtimeNs}:${found.size}`;
}

/** One container before its CRIU is launched. */
type Target = {
  readonly container: SourceContainer;
  readonly source: Source;
  readonly mounts: readonly PlannedMount[];
  readonly watchedPaths: readonly string[];
};

async function startDump(
  options: CriuOptions,
  criuVersion: string,
  request: CaptureRequest,
  onProcesses: (processes: readonly CaptureProcesses[]) => Promise<void>,
  signal: AbortSignal,
): Promise<RunningCapture> {
  const { procRoot, runtimeRoots } = options;
  const { containers, stagingDirectory } = request;
  const sources = await Promise.all(
    containers.map(({ root }) => readSource(procRoot, root, runtimeRoots)),
  );
  const plan = planPod(
    containers.map((container, index) => ({ container, mounts: sources[index]?.mounts ?? [] })),
    await readMounts(procRoot, 1),
    request,
  );
  const watched = await Promise.all(
    containers.map((container, index) =>
      watchedPathsOf(options, container, sources[index]?.mounts ?? [], signal),
    ),
  );
  const targets = containers.flatMap((container, index): Target[] => {
    const [source, mounts] = [sources[index], plan.mounts[index]];
    const watchedPaths = watched[index] ?? [];
    return source === undefined || mounts === undefined
      ? []
      : [{ container, source, mounts, watchedPaths }];
  });
  const members = await Promise.all(containers.map(({ root }) => readMembers(procRoot, root)));
  const stoppedBefore = members
    .flat()
    .filter((member) => member.state === 'stopped')
    .map(({ pid, startTicks }) => ({ pid, startTicks }));
  await prepareStaging(request, stoppedBefore);
  const cgroup = await makeCgroup(options.cgroupRoot, basename(stagingDirectory));
  const launched: (Target & { readonly launched: Launched; readonly lock: string })[] = [];
  try {
    for (const target of targets) {
      const lock = await lockFile(options.lockDirectory, target.container.containerID);
      const criu = await launchIn(options, request, target, { cgroup, lock });
      launched.push({ ...target, launched: criu, lock });
    }
    await onProcesses(
      launched.map(({ container, launched: { process } }) => ({
        container: container.name,
        source: container.root,
        criu: process,
      })),
    );
    signal.throwIfAborted();
    for (const { root } of containers) {
      if (await isAlive(procRoot, root)) continue;
      throw new Failure('terminal', 'ContainerChanged', `process ${root.pid} has ended`);
    }
  } catch (error) {
    for (const one of launched) one.launched.refuse();
    await Promise.all(launched.map((one) => one.launched.ended));
    await removeCgroup(cgroup);
    throw error;
  }
  for (const one of launched) one.launched.begin();
  return new CriuDump(
    { ...options, criuVersion },
    {
      ...{ stagingDirectory, podUID: request.podUID, volumes: plan.volumes, watched: request },
      cleanUp: () => removeCgroup(cgroup),
      containers: launched.map(
        ({ container, source, mounts, launched: criu, lock }) =>
          new ContainerDump(options, {
            ...{ name: container.name, root: container.root, stagingDirectory },
            ...{ source, mounts, stoppedBefore, launched: criu },
            options: dumpOptions(mounts, source.networkNamespaceInode, request),
            cleanUp: () => removeLock(lock),
          }),
      ),
    },
  );
}

async function watchedPathsOf(
  { procRoot }: CriuOptions,
  { root }: SourceContainer,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const visible = visibleMounts(mounts);
  const { processes } = await readProcessFacts(procRoot, root, visible);
  const { paths } = await findWatches(procRoot, root.pid, processes, visible, signal);
  return paths;
}

async function prepareStaging(
  { stagingDirectory, containers }: CaptureRequest,
  stoppedBefore: readonly ProcessIdentity[],
): Promise<void> {
  const directories = containers.flatMap(({ name }) => [
    namesOf(name).directory,
    namesOf(name).images,
  ]);
  for (const name of [stagingNames.containers, ...directories, stagingNames.volumes]) {
    await mkdir(`${stagingDirectory}/${name}`, { mode: 0o700 });
  }
  await writeFile(`${stagingDirectory}/${stagingNames.holdScript}`, holdScript, {
    mode: 0o700,
    flag: 'wx',
  });
  const sources = containers.map(({ root }) => root);
  const notes = { [stagingNames.sources]: sources, [stagingNames.stoppedBefore]: stoppedBefore };
  for (const [name, note] of Object.entries(notes)) {
    const options = { mode: 0o600, flag: 'wx' } as const;
    await writeFile(`${stagingDirectory}/${name}`, JSON.stringify(note), options);
  }
}

function launchIn(
  options: CriuOptions,
  { stagingDirectory, containers, afterCapture, tcp }: CaptureRequest,
  { container, source, mounts, watchedPaths }: Target,
  within: { readonly cgroup: Cgroup; readonly lock: string },
): Promise<Launched> {
  const names = namesOf(container.name);
  return launch({
    procRoot: options.procRoot,
    criuPath: options.criuPath,
    arguments: dumpArguments({
      pid: container.root.pid,
      root: `${options.procRoot}/${container.root.pid}/root`,
      imagesDirectory: `${stagingDirectory}/${names.images}`,
      actionScript: `${stagingDirectory}/${stagingNames.holdScript}`,
      networkNamespaceInode: source.networkNamespaceInode,
      mounts,
      watchedPaths,
      ...{ memoryPath: options.memoryPath, afterCapture, tcp },
    }),
    cwd: stagingDirectory,
    outputFile: `${stagingDirectory}/${names.output}`,
    lockFile: within.lock,
    holdLimitSeconds: options.holdLimitSeconds,
    commitLimitSeconds: options.commitLimitSeconds,
    cgroup: within.cgroup,
    memoryPath: options.memoryPath,
    together: containers.length > 1,
  });
}
