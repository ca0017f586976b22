import { publishedArtifact } from '../../../agent/artifact/published.ts';
import { readArtifact } from '../../../agent/artifact/read.ts';
import type { ReferenceKey, SnapshotStore } from '../../../agent/store/store.ts';
import { isFailure } from '../../../core/failure.ts';
import { formatBytes } from '../../../core/units.ts';
import { formatAge } from '../../duration.ts';
import { json, printable, table } from '../../table.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';
import { nameOf } from './snapshot-name.ts';

/** One snapshot of a store. `problem`: why no more is known of it. */
type Entry = ReferenceKey & {
  readonly digest?: string;
  readonly snapshot?: string;
  readonly pod?: string;
  readonly containers?: readonly string[];
  readonly sizeBytes?: number;
  readonly storedBytes?: number;
  /** As the capture wrote it: ISO 8601. */
  readonly capturedAt?: string;
  readonly problem?: string;
};

/** `artifact list`: every snapshot of a store, oldest first. Fails when one cannot be read, after all others are shown. */
export async function listArtifacts(
  store: SnapshotStore,
  options: { readonly output: 'table' | 'json'; readonly namespace?: string },
  terminal: Terminal,
): Promise<ExitCode> {
  const entries: Entry[] = [];
  for await (const key of store.listKeys(terminal.signal)) {
    if (options.namespace !== undefined && key.namespace !== options.namespace) continue;
    entries.push(await entryOf(store, key, terminal.signal));
  }
  entries.sort((a, b) => order(a).localeCompare(order(b)));
  terminal.output.write(options.output === 'json' ? json(entries) : asTable(entries, terminal));
  const damaged = entries.filter((entry) => entry.problem !== undefined);
  for (const entry of damaged) {
    terminal.errors.write(`${nameOf(entry)}: ${printable(entry.problem ?? '')}\n`);
  }
  return damaged.length === 0 ? exitCodes.done : exitCodes.failed;
}

const order = (entry: Entry): string => `${entry.capturedAt ?? '~'} ${nameOf(entry)}`;

async function entryOf(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Entry> {
  try {
    const { reference, manifest, config } = await readArtifact(store, key, signal);
    const { digest, size } = reference;
    const { sizeBytes, storedBytes } = publishedArtifact(digest, size, manifest, config);
    return {
      ...key,
      digest,
      snapshot: `${config.snapshot.namespace}/${config.snapshot.name}`,
      pod: `${config.pod.namespace}/${config.pod.name}`,
      containers: config.containers.map(({ name }) => name),
      sizeBytes,
      storedBytes,
      capturedAt: config.containers[0]?.frozenAt ?? '',
    };
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    return { ...key, problem: error.message };
  }
}

function asTable(entries: readonly Entry[], { now }: Terminal): string {
  if (entries.length === 0) return 'The store holds no snapshots.\n';
  const bytes = (count: number | undefined): string =>
    count === undefined ? '-' : formatBytes(count);
  return table(
    ['NAMESPACE', 'CONTENT UID', 'SNAPSHOT', 'DIGEST', 'SIZE', 'STORED', 'AGE'],
    entries.map((entry) => [
      entry.namespace,
      entry.contentUID,
      entry.problem === undefined ? (entry.snapshot ?? '') : 'DAMAGED',
      entry.digest?.slice(0, 'sha256:'.length + 12) ?? '-',
      bytes(entry.sizeBytes),
      bytes(entry.storedBytes),
      ageOf(entry, now()),
    ]),
  );
}

function ageOf({ capturedAt = '' }: Entry, now: number): string {
  const at = Date.parse(capturedAt);
  return Number.isNaN(at) ? '-' : formatAge(now - at);
}
