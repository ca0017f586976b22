import { controlVolume } from '../../core/api/names.ts';
import type { ConfinedDirectory } from '../proc/confined-files.ts';

/**
 * The control directory of a container as the agent reaches it: the kubelet's directory of the pod's emptyDir, and in it the container's
 * own subdirectory. The kubelet's part is the node's; what lies below is the workload's.
 */
export function controlDirectory(at: {
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
  readonly podUID: string;
  readonly container: string;
}): ConfinedDirectory {
  return {
    base: `${at.hostRoot}${at.kubeletDirectory}`,
    below: [
      'pods',
      at.podUID,
      'volumes',
      'kubernetes.io~empty-dir',
      controlVolume.name,
      at.container,
    ],
  };
}
