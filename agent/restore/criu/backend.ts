import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controlVolume } from '../../../core/api/names.ts';
import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import { decisiveLines } from '../../capture/criu/log.ts';
import { readMounts } from '../../capture/criu/source.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';
import { type RunResult, run } from '../../proc/run.ts';
import type { RestoreBackend, RestoreRequest, RestoreResult } from '../backend.ts';
import { restoreArguments, restoreFiles } from './arguments.ts';
import { cgroupFilesOf } from './cgroup-files.ts';
import { bundled, type EnterRequest, enterArguments } from './enter.ts';
import { extractArguments, filesFailure, writeDeletions } from './files.ts';
import { type VolumeTarget, volumeTargets } from './volumes.ts';

export type CriuRestoreOptions = {
  readonly procRoot: string;
  /** The node's cgroup mounts as the agent sees them. */
  readonly cgroupRoot: string;
  /** The static program of images/enter. */
  readonly enterPath: string;
  /** CRIU, GNU tar, loader, libraries and `remove`: everything that runs inside the placeholder. */
  readonly bundleDirectory: string;
  readonly clock: Clock;
};

/** Where everything of ours is mounted, in a copy of the placeholder's mount namespace that nobody else sees. */
const stage = controlVolume.mountPath;
const networkNamespaceKey = 'extNetNs';
/** Above what any program of the bundle opens by itself. */
const descriptors = { network: 20, uts: 21, stdio: 22 } as const;

/** Restores containers of this node with CRIU. */
export function criuRestore(options: CriuRestoreOptions): RestoreBackend {
  return { restore: (request, signal) => restore(options, request, signal) };
}

async function restore(
  options: CriuRestoreOptions,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const { placeholder, container } = request;
  const mounts = await readMounts(options.procRoot, placeholder.pid);
  const mountPoints = mounts.map((mount) => mount.mountPoint);
  if (!(await isAlive(options.procRoot, placeholder))) throw placeholderGone(placeholder);
  const wanted = container.mounts.filter((mount) =>
    ['external', 'volume'].includes(mount.treatment),
  );
  const missing = wanted.filter(({ path }) => !mountPoints.includes(path));
  if (missing.length > 0) {
    const paths = missing.map(({ path }) => path).join(', ');
    const message = `the snapshot has mounts that the pod has not: ${paths}`;
    throw new Failure('terminal', 'RestoreIncompatible', message);
  }
  const nodeMounts = await readMounts(options.procRoot, 1);
  const volumes = volumeTargets(container, mounts, nodeMounts, request.podUID);
  await mkdir(request.workDirectory, { recursive: true, mode: 0o700 });
  const entering = await enteringOf(options, placeholder);
  await putFiles(request, entering, mountPoints, volumes, signal);
  return runCriu(
    options,
    request,
    entering,
    wanted.map(({ path }) => path),
    signal,
  );
}

const placeholderGone = (placeholder: ProcessIdentity): Failure =>
  new Failure(
    'terminal',
    'RestoreFailed',
    `the placeholder (process ${placeholder.pid}) has ended`,
  );

async function enteringOf(
  options: CriuRestoreOptions,
  process: ProcessIdentity,
): Promise<Omit<EnterRequest, 'program'>> {
  return {
    enterPath: options.enterPath,
    process,
    cgroupFiles: await cgroupFilesOf(options.procRoot, options.cgroupRoot, process.pid),
    stage,
    trees: { bundle: options.bundleDirectory },
  };
}

/** Deletions first, then the writable layer, then the volumes. */
async function putFiles(
  request: RestoreRequest,
  entering: Omit<EnterRequest, 'program'>,
  mountPoints: readonly string[],
  volumes: readonly VolumeTarget[],
  signal: AbortSignal,
): Promise<void> {
  const { filesDirectory } = request;
  const layer = join(filesDirectory, 'containers', request.container.name, 'rootfs.tar');
  const list = join(request.workDirectory, 'deletions');
  const step = async (what: string, file: string, program: readonly string[]): Promise<void> => {
    const opens = { 0: { mode: 'r', file } } as const;
    const result = await run(enterArguments({ ...entering, opens, program }), { signal });
    signal.throwIfAborted();
    if (!result.ok) throw filesFailure(what, result.why);
  };
  if ((await writeDeletions(layer, list)) > 0) {
    await step('deletions', list, [`${stage}/bundle/remove`]);
  }
  const tar = (
    directory: string,
    excluded: readonly string[],
    part?: string,
  ): readonly string[] => [
    ...bundled(stage, 'tar'),
    ...extractArguments(directory, excluded, part),
  ];
  await step('the writable layer', layer, tar('/', mountPoints));
  for (const { volume, directory, part } of volumes) {
    const file = join(filesDirectory, 'volumes', `${volume}.tar`);
    await step(`volume ${volume}`, file, tar(directory, [], part));
  }
}

async function runCriu(
  options: CriuRestoreOptions,
  request: RestoreRequest,
  entering: Omit<EnterRequest, 'program'>,
  externalMounts: readonly string[],
  signal: AbortSignal,
): Promise<RestoreResult> {
  const { placeholder, workDirectory } = request;
  const log = join(workDirectory, restoreFiles.log);
  const pidFile = join(workDirectory, restoreFiles.pid);
  const containerDirectory = join(request.filesDirectory, 'containers', request.container.name);
  const streams = [1, 2].flatMap((stream) => {
    const name = request.container.stdio[stream] ?? '';
    return name.startsWith('pipe:')
      ? [{ descriptor: descriptors.stdio + stream, name, stream }]
      : [];
  });
  const program = [
    ...bundled(stage, 'criu'),
    ...restoreArguments({
      imagesDirectory: `${stage}/images`,
      workDirectory: stage,
      externalMounts,
      inherited: [{ descriptor: descriptors.network, name: networkNamespaceKey }, ...streams],
      utsDescriptor: descriptors.uts,
    }),
  ];
  const startedAt = options.clock.monotonicMilliseconds();
  const result = await run(
    enterArguments({
      ...entering,
      trees: { ...entering.trees, images: join(containerDirectory, 'images') },
      opens: {
        [descriptors.network]: { mode: 'n', file: 'net' },
        [descriptors.uts]: { mode: 'n', file: 'uts' },
        ...Object.fromEntries(
          streams.map(({ descriptor, stream }) => [
            descriptor,
            { mode: 'w', file: `${options.procRoot}/${placeholder.pid}/fd/${stream}` } as const,
          ]),
        ),
      },
      keeps: { [restoreFiles.log]: log, [restoreFiles.pid]: pidFile },
      makeDirectory: '/run',
      writableProcSys: true,
      program,
    }),
    { signal },
  );
  const restoreMilliseconds = options.clock.monotonicMilliseconds() - startedAt;
  if (!result.ok) throw await restoreFailure(result, log);
  const pid = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
  if (!Number.isInteger(pid) || pid <= 1) {
    throw new Failure('terminal', 'RestoreFailed', 'CRIU did not say which process it restored');
  }
  return { pid, restoreMilliseconds };
}

async function restoreFailure(result: RunResult, log: string): Promise<Failure> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const message = [`criu restore: ${result.why}`, ...decisiveLines(text)].join('; ');
  return new Failure('terminal', 'RestoreFailed', message);
}
