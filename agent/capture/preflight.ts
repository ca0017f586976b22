import { formatBytes } from '../../core/units.ts';
import type { Blocker } from './backend.ts';
import { type Check, shown } from './check-wording.ts';
import { descriptorChecks } from './descriptor-checks.ts';
import { estimatedBytes, type SourceFacts } from './facts.ts';
import { mountChecks } from './mount-checks.ts';
import { processChecks } from './process-checks.ts';

const checks: Readonly<Record<string, Check>> = {
  criu: ({ probe }) => (probe.usable ? [] : [`CRIU is not usable on this node: ${probe.why}`]),

  ...processChecks,
  ...descriptorChecks,
  unsavable: ({ unsavable }) => unsavable,

  sharedNamespaces: ({ sharedWithNode }) =>
    sharedWithNode.map(
      (field) =>
        `the pod uses ${field}: what it shares with the node cannot be captured; run it without`,
    ),

  volumes: ({ volumes, missingVolumes, volumeDevices }) => [
    ...missingVolumes,
    ...volumeDevices.map(
      (path) => `${shown(path)} in a volume is a device node, which is not captured; remove it`,
    ),
    ...volumes
      .filter(({ fileSystem }) => fileSystem === 'hugetlbfs')
      .map(
        ({ name, path }) => `emptyDir ${name} at ${path} is of huge pages, which cannot be saved`,
      ),
  ],

  ...mountChecks,

  writableLayer: ({ layerProblem, layerDevices }) => [
    ...(layerProblem === undefined ? [] : [layerProblem]),
    ...layerDevices.map(
      (path) =>
        `${shown(path)} in the writable layer is a device node, which is not captured; remove it`,
    ),
  ],

  room: (facts) => {
    const bytes = estimatedBytes(facts);
    return facts.room
      .filter((room) => room.freeBytes < bytes * room.copies)
      .map(
        (room) =>
          `${room.what} ${room.directory} has ${formatBytes(room.freeBytes)} free, the capture may need ${formatBytes(bytes * room.copies)}; make room there`,
      );
  },
};

/** Names of all checks over the facts, as blockers and metrics carry them. */
export const checkNames: readonly string[] = Object.keys(checks);

const shownOfEachCheck = 3;

/** Everything that stands in the way, all of it at once; a check that finds much says how much more. Pure. */
export function findBlockers(facts: SourceFacts): readonly Blocker[] {
  return Object.entries(checks).flatMap(([check, look]) => {
    const messages = look(facts);
    const more = messages.length - shownOfEachCheck;
    return messages.slice(0, shownOfEachCheck).map((message, index) => ({
      check,
      message:
        more > 0 && index === shownOfEachCheck - 1 ? `${message} (and ${more} more)` : message,
    }));
  });
}
