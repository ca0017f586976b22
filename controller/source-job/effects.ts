import { kinds } from '../../core/api/kinds.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import { type Job, parseJob } from '../../core/api/workload.ts';
import { type Failure, isFailure } from '../../core/failure.ts';
import type { Kube, RawObject } from '../../runtime/kube-port.ts';
import { parsedOrRetry } from '../read.ts';

/** A quota frees up again; every other refusal of a Job stands until somebody changes what it is made of. */
function isRejection(error: unknown): error is Failure {
  return isFailure(error, 'terminal') && !error.message.includes('exceeded quota');
}

/** The Job as it was created, or what the API server said when it refused it for good. A name that is taken throws a conflict. */
export async function createSourceJob(
  kube: Kube,
  job: RawObject,
  signal: AbortSignal,
): Promise<
  { readonly ok: true; readonly job: Job } | { readonly ok: false; readonly message: string }
> {
  try {
    const raw = await kube.create(kinds.job, job, { dryRun: false }, signal);
    return { ok: true, job: parsedOrRetry(parseJob(raw)) };
  } catch (error) {
    if (isRejection(error)) return { ok: false, message: error.message };
    throw error;
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
