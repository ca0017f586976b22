import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { Pod } from '../../core/api/workload.ts';

/**
 * Of a settled PodRestore: not the pod that it ended with. A create has no precondition, so that of a controller which has lost the lease may
 * arrive after everything. No agent restores into such a pod (agent/restore/claim.ts), and nobody else removes it.
 */
export const isStray = ({ status }: PodRestore, { metadata }: Pod): boolean =>
  status.phase === 'Failed' || metadata.uid !== status.podUID;
