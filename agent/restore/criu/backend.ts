import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import { readMounts } from '../../capture/criu/source.ts';
import type { Mount } from '../../proc/mountinfo.ts';
import type { RestoreBackend, RestoreRequest, RestoreResult, RestoreTarget } from '../backend.ts';
import { type Entrance, type EntranceOptions, entranceTo, missingMounts } from './placeholder.ts';
import { putLayer, putVolumes } from './put-files.ts';
import { runCriu } from './run-criu.ts';
import { volumePlaces } from './volumes.ts';

export type CriuRestoreOptions = EntranceOptions & { readonly clock: Clock };

/** Restores containers of this node with CRIU. */
export function criuRestore(options: CriuRestoreOptions): RestoreBackend {
  return {
    check: async (targets, podUID) => {
      const entrances = await entrancesTo(options, targets);
      const problems = entrances.map(missingMounts).filter(Boolean);
      if (problems.length > 0) {
        throw new Failure('terminal', 'RestoreIncompatible', problems.join('; '));
      }
      volumePlaces(entrances, await nodeMounts(options), podUID);
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
  for (const entrance of entrances) await putLayer(entrance, request, signal);
  const places = volumePlaces(entrances, await nodeMounts(options), request.podUID);
  await putVolumes(places, request, signal);
  const startedAt = options.clock.monotonicMilliseconds();
  const pids = await allSettled(
    entrances.map((entrance) => runCriu(options.procRoot, entrance, request, signal)),
  );
  return { pids, restoreMilliseconds: options.clock.monotonicMilliseconds() - startedAt };
}

/** Every result, or the first failure once none is under way any more. */
async function allSettled<T>(running: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}
