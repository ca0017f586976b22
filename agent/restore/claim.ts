import { kinds } from '../../core/api/kinds.ts';
import { annotations, labels } from '../../core/api/names.ts';
import { parsePodRestore, verdictOf } from '../../core/api/pod-restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { Failure } from '../../core/failure.ts';
import type { SnapshotView } from '../../core/restore/snapshot-view.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import { readRaw } from '../../runtime/read-raw.ts';

/** What is in the way of a restore. */
export type Obstacle = Exclude<SnapshotView, { state: 'ready' }>;

const unusable = (message: string): Obstacle => ({ state: 'unusable', message });

/**
 * Whether the PodRestore that made a pod means this very pod; undefined where it does, and for a pod that none made. A create has no
 * precondition: one sent by a controller that has lost the lease since may arrive when the restore is long over, and of two pods of one
 * PodRestore only the one on its record may come to life. Read uncached, when a container waits for its state; `restarts`: how often that
 * was started again. Errors are thrown: absence by error is not absence.
 */
export async function claimOf(
  kube: Kube,
  { metadata }: Pod,
  restarts: number,
  signal: AbortSignal,
): Promise<Obstacle | undefined> {
  const owner = metadata.labels[labels.restoreUID];
  if (owner === undefined) return undefined;
  const { namespace = '', uid } = metadata;
  const name = metadata.annotations[annotations.restoreName] ?? '';
  const shown = `PodRestore ${name}`;
  const raw =
    name === ''
      ? undefined
      : await readRaw(kube, { kind: kinds.podRestore, namespace, name }, signal);
  if (raw === undefined) return withoutIt(`${shown} is gone`, restarts);
  const parsed = parsePodRestore(raw);
  if (!parsed.ok) throw new Failure('terminal', 'Unreadable', `${shown}: ${parsed.message}`);
  const restore = parsed.value;
  if (restore.metadata.uid !== owner) return withoutIt(`${shown} is another one`, restarts);
  const verdict = verdictOf(restore);
  if (verdict !== undefined) return unusable(`${shown} has ended (${verdict.reason})`);
  const { podUID } = restore.status;
  if (podUID === undefined) {
    return { state: 'pending', message: `${shown} has not recorded the pod yet` };
  }
  if (podUID !== uid) return unusable(`${shown} has another pod on record: ${podUID}`);
  if (restore.metadata.deletionTimestamp === undefined) return undefined;
  return withoutIt(`${shown} is being deleted`, restarts);
}

/** A restored pod outlives its PodRestore, and what is started again in it was on record when it was restored first. */
const withoutIt = (why: string, restarts: number): Obstacle | undefined =>
  restarts > 0 ? undefined : unusable(`${why}, and the pod was not restored before`);
