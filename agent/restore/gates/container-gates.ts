import { formatBytes } from '../../../core/units.ts';
import type { ContainerGate } from './facts.ts';

/** The digest in `name@sha256:...` or `sha256:...`. The former is that of a registry's manifest, the latter often that of a config: not to be compared. */
function digestOf(imageID: string): { readonly of: 'name' | 'image'; readonly digest: string } {
  const at = imageID.lastIndexOf('@');
  return at < 0 ? { of: 'image', digest: imageID } : { of: 'name', digest: imageID.slice(at + 1) };
}

/** What is asked of the container that the snapshot goes into. */
export const containerGates = {
  image: ({ capturedImageID, imageID }) => {
    if (!capturedImageID || !imageID) return [];
    const captured = digestOf(capturedImageID);
    const target = digestOf(imageID);
    return captured.of === target.of && captured.digest !== target.digest
      ? [`its image is ${target.digest}, that of the snapshot is ${captured.digest}`]
      : [];
  },

  memory: ({ residentBytes, memoryLimitBytes }) =>
    memoryLimitBytes !== undefined && memoryLimitBytes < residentBytes
      ? [
          `its memory limit is ${formatBytes(memoryLimitBytes)}, the snapshot has ${formatBytes(residentBytes)} resident`,
        ]
      : [],

  mounts: ({ externalMounts, mounts }) => {
    const missing = externalMounts.filter((path) => mounts?.points.has(path) === false);
    return missing.length === 0
      ? []
      : [`the snapshot had mounts that the pod has not: ${missing.join(', ')}`];
  },
} as const satisfies Readonly<Record<string, ContainerGate>>;
