import { Gauge, type Registry } from 'prom-client';
import { type Conditions, progressOf } from '../../core/api/conditions.ts';
import { checkpointPhases, type DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { type PodRestore, podRestorePhases } from '../../core/api/pod-restore.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { progressReasons } from '../../core/api/reasons.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import { stages } from '../../core/api/stages.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { phaseOf as snapshotJobPhaseOf } from '../snapshot-job/observe.ts';
import { snapshotJobPhases } from '../snapshot-job/observed.ts';

type Listed<T> = Pick<ObjectReader<T, never>, 'get' | 'list'>;

/** What is counted: the controller's caches. */
export type CountedCaches = {
  readonly checkpoints: Listed<DynamoCheckpoint>;
  readonly snapshotJobs: Listed<SnapshotJob>;
  readonly snapshots: Listed<PodSnapshot>;
  readonly contents: Listed<PodSnapshotContent>;
  readonly podRestores: Listed<PodRestore>;
};

/** How many objects have each word; every word that there could be is there, so that a series at 0 is not a series that is missing. */
function tally<T>(
  words: readonly string[],
  objects: readonly T[],
  wordOf: (object: T) => string | undefined,
): ReadonlyMap<string, number> {
  const counts = new Map(words.map((word) => [word, 0]));
  for (const object of objects) {
    const word = wordOf(object);
    if (word !== undefined) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

type Progressive = { readonly status: { readonly conditions: Conditions } };

/** The one thing that an object waits for, or is at. */
const progressReasonOf = ({ status }: Progressive): string | undefined =>
  progressOf(status.conditions)?.reason;

const stageOf = ({ status }: PodSnapshot | PodSnapshotContent): string => status.stage ?? 'Pending';

/** Counts the objects of the caches at each scrape. */
export function gaugeObjects(registry: Registry, caches: CountedCaches): void {
  const registers = [registry];
  const objects: Gauge = new Gauge({
    name: 'cryopod_objects',
    help: 'Objects by kind and phase (stage of snapshots and contents).',
    labelNames: ['kind', 'phase'],
    registers,
    collect: () => {
      objects.reset();
      const set = (kind: string, counts: ReadonlyMap<string, number>): void => {
        for (const [phase, count] of counts) objects.set({ kind, phase }, count);
      };
      const phaseOf = ({ status }: DynamoCheckpoint): string => status.phase ?? 'Pending';
      set('DynamoCheckpoint', tally(checkpointPhases, caches.checkpoints.list(), phaseOf));
      set('SnapshotJob', tally(snapshotJobPhases, caches.snapshotJobs.list(), snapshotJobPhaseOf));
      set('PodSnapshot', tally(stages, caches.snapshots.list(), stageOf));
      const restorePhaseOf = ({ status }: PodRestore): string => status.phase ?? 'Pending';
      set('PodRestore', tally(podRestorePhases, caches.podRestores.list(), restorePhaseOf));
      set('PodSnapshotContent', tally(stages, caches.contents.list(), stageOf));
    },
  });
  const progressing: Gauge = new Gauge({
    name: 'cryopod_objects_progressing',
    help: 'Open objects by kind and reason of Progressing: what they wait for, or where they are.',
    labelNames: ['kind', 'reason'],
    registers,
    collect: () => {
      progressing.reset();
      const set = (kind: string, open: readonly Progressive[]): void => {
        const counts = tally(progressReasons, open, progressReasonOf);
        for (const [reason, count] of counts) progressing.set({ kind, reason }, count);
      };
      set('DynamoCheckpoint', caches.checkpoints.list());
      set('SnapshotJob', caches.snapshotJobs.list());
      set('PodSnapshot', caches.snapshots.list());
      set('PodRestore', caches.podRestores.list());
    },
  });
}
