import { mkdir, readdir } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { readMounts } from '../../capture/criu/source.ts';
import type { Mount } from '../../proc/mountinfo.ts';
import type { RestoreBackend, RestoreRequest, RestoreResult, RestoreTarget } from '../backend.ts';
import type { NodeSide } from '../gates/facts.ts';
import { findRefusals } from '../gates/gates.ts';
import type { CpuCheck } from './cpu-check.ts';
import { imagesOf, readGateFacts } from './gate-facts.ts';
import { type Entrance, type EntranceOptions, entranceTo } from './placeholder.ts';
import { allSettled, putLayer, putVolumes } from './put-files.ts';
import { runCriu } from './run-criu.ts';
import { volumePlaces } from './volumes.ts';

export type CriuRestoreOptions = EntranceOptions & {
  readonly clock: Clock;
  readonly cpu: CpuCheck;
  readonly node: NodeSide;
};

/** Restores containers of this node with CRIU. */
export function criuRestore(options: CriuRestoreOptions): RestoreBackend {
  return {
    check: async (request, signal) => {
      const refusals = findRefusals(await readGateFacts(options, request, signal));
      if (refusals.length > 0) return refusals;
      const entrances = await entrancesTo(options, request.targets);
      volumePlaces(entrances, await nodeMounts(options), request.pod.metadata.uid);
      return [];
    },
    restore: (request, signal) => restore(options, request, signal),
  };
}

const entrancesTo = (
  options: EntranceOptions,
  targets: readonly RestoreTarget[],
): Promise<readonly Entrance[]> =>
  Promise.all(targets.map((target) => entranceTo(options, target)));

const nodeMounts = ({ procRoot }: EntranceOptions): Promise<readonly Mount[]> =>
  readMounts(procRoot, 1);

/** All files before the first process: what one container finds in a shared volume must not depend on who comes first. */
async function restore(
  options: CriuRestoreOptions,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreResult> {
  await mkdir(request.workDirectory, { recursive: true, mode: 0o700 });
  const entrances = await entrancesTo(options, request.targets);
  const { clock } = options;
  const beganAt = clock.monotonicMilliseconds();
  await allSettled(entrances.map((entrance) => putLayer(entrance, request, signal)));
  const places = volumePlaces(entrances, await nodeMounts(options), request.podUID);
  await putVolumes(places, request, signal);
  const startedAt = clock.monotonicMilliseconds();
  const pids = await allSettled(
    entrances.map((entrance) => runCriu(options.procRoot, entrance, request, signal)),
  );
  return {
    pids,
    connectionsClosed: request.connections === 'Keep' ? 0 : await savedConnections(request),
    filesMilliseconds: startedAt - beganAt,
    restoreMilliseconds: clock.monotonicMilliseconds() - startedAt,
  };
}

/** CRIU saves each in an image of its own. */
async function savedConnections({ targets, filesDirectory }: RestoreRequest): Promise<number> {
  const names = await Promise.all(
    targets.map(({ container }) => readdir(imagesOf(filesDirectory, container.name))),
  );
  return names.flat().filter((name) => name.startsWith('tcp-stream-')).length;
}
