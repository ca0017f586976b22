import { kinds } from '../../core/api/kinds.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import { type Job, parseJob } from '../../core/api/workload.ts';
import { isFailure } from '../../core/failure.ts';
import type { Kube, RawObject } from '../../runtime/kube-port.ts';
import { parsedOrRetry } from '../read.ts';

/** A Job that was made, or what the API server said when it refused it. A quota frees up again; every other refusal stands. */
export type CreatedJob =
  | { readonly made: 'yes'; readonly job: Job }
  | { readonly made: 'never' | 'once the quota allows'; readonly message: string };

/** Creates the Job of a source. A name that is taken throws a conflict. */
export async function createSourceJob(
  kube: Kube,
  job: RawObject,
  signal: AbortSignal,
): Promise<CreatedJob> {
  try {
    const raw = await kube.create(kinds.job, job, { dryRun: false }, signal);
    return { made: 'yes', job: parsedOrRetry(parseJob(raw)) };
  } catch (error) {
    if (!isFailure(error, 'terminal')) throw error;
    const { message } = error;
    const made = message.includes('exceeded quota') ? 'once the quota allows' : 'never';
    return { made, message };
  }
}

/** Deletes this very Job and its pods; nothing happens when it is gone, or another one has its name. */
export async function deleteSourceJob(
  kube: Kube,
  job: { readonly namespace: string; readonly name: string; readonly uid: string },
  signal: AbortSignal,
): Promise<void> {
  const key = { kind: kinds.job, namespace: job.namespace, name: job.name };
  try {
    await kube.delete(key, { uid: job.uid }, signal);
  } catch (error) {
    // Conflict: another Job has the name by now. Either way this one is gone.
    if (!isFailure(error, 'gone', 'conflict')) throw error;
  }
}

/** Asks for the end of a capture. Throws a conflict when the snapshot moved since it was read. */
export async function cancelPodSnapshot(
  kube: Kube,
  snapshot: PodSnapshot,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = '', resourceVersion } = snapshot.metadata;
  if (snapshot.spec.cancel) return;
  const body = { metadata: { resourceVersion }, spec: { cancel: true } };
  const key = { kind: kinds.podSnapshot, namespace, name };
  try {
    // Optimistic: if the snapshot moved meanwhile it may be Ready by now, and Ready wins.
    await kube.patch(key, '', { type: 'merge', body }, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
}
