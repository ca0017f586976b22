import { planSweep, type SweepPlan, sweepStore } from '../../../agent/artifact/sweep.ts';
import type { SnapshotStore } from '../../../agent/store/store.ts';
import { formatBytes } from '../../../core/units.ts';
import { json, printable } from '../../table.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';

type Options = {
  readonly graceMilliseconds: number;
  readonly delete: boolean;
  readonly output: 'table' | 'json';
};

/** `artifact sweep`: says what no snapshot needs, and deletes it only when told to. Fails when nobody can tell what is needed. */
export async function sweepArtifacts(
  store: SnapshotStore,
  options: Options,
  { output, errors, now, signal }: Terminal,
): Promise<ExitCode> {
  const { graceMilliseconds } = options;
  const plan = await planSweep(store, graceMilliseconds, now(), signal);
  const done = options.delete
    ? await sweepStore(store, graceMilliseconds, now(), signal)
    : undefined;
  const blocked = done?.kept ?? plan.blocked;
  const report = {
    ...summary(plan),
    deleted: options.delete,
    freedBytes: done?.freedBytes,
    blocked,
  };
  if (options.output === 'json') output.write(json({ ...report, ...details(plan) }));
  else output.write(asText(plan, done?.freedBytes));
  if (blocked === undefined) return exitCodes.done;
  errors.write(
    `No blob can be deleted, because one snapshot cannot be read: ${printable(blocked)}\n`,
  );
  return exitCodes.failed;
}

const sum = (list: readonly { readonly sizeBytes: number }[]) => ({
  count: list.length,
  bytes: list.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
});

const summary = ({ named, young, garbage, leftovers }: SweepPlan) => ({
  named: sum(named),
  inGrace: sum(young),
  garbage: sum(garbage),
  leftovers: sum(leftovers),
});

const details = ({ garbage, leftovers }: SweepPlan) => ({
  garbageBlobs: garbage.map(({ digest, sizeBytes }) => ({ digest, sizeBytes })),
  leftoverFiles: leftovers.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
});

function asText(plan: SweepPlan, freedBytes: number | undefined): string {
  const { named, inGrace, garbage, leftovers } = summary(plan);
  const amounts = [
    ...(plan.blocked === undefined
      ? ([
          ['Blobs that snapshots need', named],
          ['Blobs of no snapshot, within the grace', inGrace],
          ['Blobs of no snapshot, to delete', garbage],
        ] as const)
      : []),
    ['Leftovers of dead writers, to delete', leftovers],
  ] as const;
  const lines = amounts.map(
    ([what, { count, bytes }]) => `${`${what}:`.padEnd(41)}${count} (${formatBytes(bytes)})\n`,
  );
  return `${lines.join('')}${outcome(garbage.count + leftovers.count, freedBytes)}\n`;
}

function outcome(toDelete: number, freedBytes: number | undefined): string {
  if (freedBytes !== undefined) return `Deleted; ${formatBytes(freedBytes)} of blobs are free.`;
  if (toDelete === 0) return 'Nothing to delete.';
  return 'Nothing was deleted: a dry run. Add --delete to delete it.';
}
