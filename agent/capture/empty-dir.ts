import type { ConfinedDirectory } from '../proc/confined-files.ts';

/** An emptyDir of a pod as the agent reaches it: the kubelet's own directory, no part of which a workload can replace. */
export const emptyDirDirectory = (at: {
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
  readonly podUID: string;
  readonly volume: string;
}): ConfinedDirectory => ({
  base: `${at.hostRoot}${at.kubeletDirectory}`,
  below: ['pods', at.podUID, 'volumes', 'kubernetes.io~empty-dir', at.volume],
});
