import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Clock } from '../../core/clock.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Finding } from '../loop.ts';
import type { OwnWrites } from '../own-writes.ts';
import type { SnapshotMemory } from './memory.ts';
import type { ObservedSnapshot, SnapshotAction } from './observed.ts';

/** What the effects of snapshots write to. */
export type SnapshotTargets = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly ownSnapshots: OwnWrites<PodSnapshot>;
  readonly memory: SnapshotMemory;
};

type Of<K extends SnapshotAction['do']> = Extract<SnapshotAction, { do: K }>;
/** One kind of action carried out; harmless when repeated. */
export type Effect<K extends SnapshotAction['do']> = (
  targets: SnapshotTargets,
  action: Of<K>,
  observed: ObservedSnapshot,
  signal: AbortSignal,
) => Promise<Finding<ObservedSnapshot>>;
