import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../../core/failure.ts';
import { decisiveLines } from '../../capture/criu/log.ts';
import { type RunResult, run } from '../../proc/run.ts';
import type { RestoreRequest } from '../backend.ts';
import { restoreArguments, restoreFiles } from './arguments.ts';
import { bundled, type EnterRequest, enterArguments } from './enter.ts';
import { type Entrance, externalMounts, stage } from './placeholder.ts';

const networkNamespaceKey = 'extNetNs';
/** Above what any program of the bundle opens by itself. */
const descriptors = { network: 20, uts: 21, stdio: 22 } as const;

/** CRIU in a placeholder, with the images of its container. */
export function criuEntry(
  procRoot: string,
  { target, entering }: Pick<Entrance, 'target' | 'entering'>,
  { images, connections }: Pick<RestoreRequest, 'connections'> & { readonly images: string },
  keeps: NonNullable<EnterRequest['keeps']>,
): EnterRequest {
  const { container, placeholder } = target;
  const streams = [1, 2].flatMap((stream) => {
    const name = container.stdio[stream] ?? '';
    const descriptor = descriptors.stdio + stream;
    return name.startsWith('pipe:') ? [{ descriptor, name, stream }] : [];
  });
  const program = [
    ...bundled(stage, 'criu'),
    ...restoreArguments({
      imagesDirectory: `${stage}/images`,
      workDirectory: stage,
      externalMounts: externalMounts(target),
      inherited: [{ descriptor: descriptors.network, name: networkNamespaceKey }, ...streams],
      utsDescriptor: descriptors.uts,
      connections,
      actionScript: `${stage}/bundle/keep-hostname`,
    }),
  ];
  return {
    ...entering,
    trees: { ...entering.trees, images },
    opens: {
      [descriptors.network]: { mode: 'n', file: 'net' },
      [descriptors.uts]: { mode: 'n', file: 'uts' },
      ...Object.fromEntries(
        streams.map(({ descriptor, stream }) => [
          descriptor,
          { mode: 'w', file: `${procRoot}/${placeholder.pid}/fd/${stream}` } as const,
        ]),
      ),
    },
    keeps,
    // CRIU mounts a tmpfs on /run for its lock, and tries the kernel out in /tmp; neither need be there, or writable, in an image.
    made: ['/run', '/tmp'],
    writable: ['/'],
    writableProcSys: true,
    program,
  };
}

/** Restores one container's tree; resolves to its root as numbered in the placeholder's PID namespace. Throws RestoreFailed. */
export async function runCriu(
  procRoot: string,
  entrance: Entrance,
  { connections, filesDirectory, workDirectory }: RestoreRequest,
  signal: AbortSignal,
): Promise<number> {
  const { name } = entrance.target.container;
  const log = join(workDirectory, `${name}-${restoreFiles.log}`);
  const pidFile = join(workDirectory, `${name}-${restoreFiles.pid}`);
  const images = join(filesDirectory, 'containers', name, 'images');
  const keeps = { [restoreFiles.log]: log, [restoreFiles.pid]: pidFile };
  const argv = enterArguments(criuEntry(procRoot, entrance, { images, connections }, keeps));
  // What CRIU would start by name (ip, tar, iptables-restore) would be the container's, with the rights of the agent: here is none.
  const result = await run(argv, { signal, environment: { PATH: stage } });
  if (!result.ok) throw await restoreFailure(name, result, log);
  const pid = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
  if (Number.isInteger(pid) && pid > 1) return pid;
  throw new Failure('terminal', 'RestoreFailed', 'CRIU did not say which process it restored');
}

async function restoreFailure(name: string, result: RunResult, log: string): Promise<Failure> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const message = [
    `container ${name}: criu restore: ${result.why}`,
    ...(text === '' ? [] : decisiveLines(text)),
  ];
  return new Failure('terminal', 'RestoreFailed', message.join('; '));
}
