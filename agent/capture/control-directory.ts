import { controlVolume } from '../../core/api/names.ts';
import type { ConfinedDirectory } from '../proc/confined-files.ts';
import { emptyDirDirectory } from './empty-dir.ts';

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
  const { base, below } = emptyDirDirectory({ ...at, volume: controlVolume.name });
  return { base, below: [...below, at.container] };
}
