import type { Job, Pod } from '../../core/api/workload.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';

/** The pod that a Job runs, if it has one that is not being deleted. */
export function podOfJob(pods: ObjectReader<Pod, 'job'>, job: Job): Pod | undefined {
  return pods
    .byIndex('job', job.metadata.uid)
    .find(({ metadata }) => metadata.deletionTimestamp === undefined);
}
