import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { formatBytes } from '../../../core/units.ts';
import type { RequestView } from '../../request/view.ts';

/** What a deletion takes away for ever, in a sentence; undefined where it is nothing that cannot be asked for again. Pure. */
export function lossOf(view: RequestView): string | undefined {
  return losses[view.word](view);
}

const losses: Readonly<Record<RequestView['word'], (view: RequestView) => string | undefined>> = {
  snapshot: lossOfSnapshot,
  restore: ({ metadata, standing, to }) =>
    standing.end === undefined && to !== ''
      ? `Restore ${metadata.name} goes on: it is stopped, and ${to} goes with it.`
      : undefined,
  checkpoint: ({ metadata, standing, to }) =>
    standing.end === 'succeeded'
      ? `Checkpoint ${metadata.name} owns ${to || 'a snapshot'}: that goes with it, and its bytes as its deletion policy says.`
      : undefined,
  // The snapshot of a SnapshotJob outlives it.
  job: () => undefined,
};

function lossOfSnapshot({ raw, metadata, standing }: RequestView): string | undefined {
  const parsed = parsePodSnapshot(raw);
  if (!parsed.ok) return undefined;
  const { spec, status } = parsed.value;
  const { name } = metadata;
  if (standing.end === undefined) {
    return `The capture of snapshot ${name} goes on (${standing.state}): it is stopped, its pod runs on.`;
  }
  if (spec.deletionPolicy === 'Retain' || status.artifact === undefined) return undefined;
  const { sizeBytes, digest } = status.artifact;
  const pod = spec.source.podRef?.name;
  const of = pod === undefined ? '' : ` of pod ${pod}`;
  return `Snapshot ${name} holds ${formatBytes(sizeBytes)}${of} (${digest.slice(0, 19)}), captured ${status.completedAt ?? 'once'}: the bytes are deleted with it, and nothing can be restored from it any more.`;
}
