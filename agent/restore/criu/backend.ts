import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import type { RestoreBackend, RestoreRequest, RestoreResult, RestoreTarget } from '../backend.ts';
import { type Entrance, type EntranceOptions, entranceTo, missingMounts } from './placeholder.ts';
import { putLayer, putVolumes } from './put-files.ts';
import { runCriu } from './run-criu.ts';

export type CriuRestoreOptions = EntranceOptions & { readonly clock: Clock };

/** Restores containers of this node with CRIU. */
export function criuRestore(options: CriuRestoreOptions): RestoreBackend {
  return {
    check: async (targets) => {
      const problems = (await entrancesTo(options, targets)).map(missingMounts).filter(Boolean);
      if (problems.length === 0) return;
      throw new Failure('terminal', 'RestoreIncompatible', problems.join('; '));
    },
    restore: (request, signal) => restore(options, request, signal),
  };
}

const entrancesTo = (
  options: EntranceOptions,
  targets: readonly RestoreTarget[],
): Promise<readonly Entrance[]> =>
  Promise.all(targets.map((target) => entranceTo(options, target)));

/** All files before the first process: what one container finds in a shared volume must not depend on who comes first. */
async function restore(
  options: CriuRestoreOptions,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestoreResult> {
  await mkdir(request.workDirectory, { recursive: true, mode: 0o700 });
  const entrances = await entrancesTo(options, request.targets);
  for (const entrance of entrances) await putLayer(entrance, request, signal);
  await putVolumes(entrances, request, signal);
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
