import { apiVersion, captureLeaseName } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { LapsePolicy } from '../../runtime/held-lease.ts';
import { captureLeaseTiming, type LeaseRequest } from '../../runtime/lease-attempt.ts';

/** The lease that whoever captures a content must hold; it goes with the content. Its object stays through attempts, so that the fence grows. */
export function captureLeaseRequest(
  { metadata, status }: PodSnapshotContent,
  held: Pick<LeaseRequest, 'namespace' | 'holder' | 'deadHolders'>,
): LeaseRequest & { readonly whenLapsed: LapsePolicy } {
  const { name, uid } = metadata;
  return {
    ...held,
    name: captureLeaseName(uid),
    timing: captureLeaseTiming,
    ownerReference: { apiVersion, kind: 'PodSnapshotContent', name, uid },
    likelyNew: status.startedAt === undefined,
    whenLapsed: 'wait',
  };
}
