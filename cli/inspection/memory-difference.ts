import type { ArtifactContainer, Chunk } from '../../agent/artifact/config.ts';

/** How the memory of a container in a second artifact relates to that in a first, by the digests of its chunks; nothing is read. */
export type MemoryDifference = {
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** Of `afterBytes`: zeros; what the first artifact has too; what only the second has. */
  readonly zeroBytes: number;
  readonly sharedBytes: number;
  readonly changedBytes: number;
  /** Of the stored bytes of what changed: what the second artifact costs where the first is kept. */
  readonly changedStoredBytes: number;
};

const chunksOf = (container: ArtifactContainer | undefined): readonly Chunk[] =>
  container?.memory.flatMap(({ chunks }) => chunks) ?? [];

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const sizes = (chunks: readonly Chunk[]): number => sum(chunks.map(({ sizeBytes }) => sizeBytes));

/** Compares chunk by chunk, wherever each stands. */
export function memoryDifference(
  before: ArtifactContainer | undefined,
  after: ArtifactContainer | undefined,
): MemoryDifference {
  const [first, second] = [chunksOf(before), chunksOf(after)];
  const known = new Set(first.flatMap((chunk) => (chunk.encoding === 'zero' ? [] : chunk.digest)));
  const zeros = second.filter(({ encoding }) => encoding === 'zero');
  const stored = second.filter((chunk) => chunk.encoding !== 'zero');
  const changed = stored.filter(({ digest }) => !known.has(digest));
  const once = new Map(changed.map(({ digest, storedBytes }) => [digest, storedBytes]));
  return {
    beforeBytes: sizes(first),
    afterBytes: sizes(second),
    zeroBytes: sizes(zeros),
    sharedBytes: sizes(stored) - sizes(changed),
    changedBytes: sizes(changed),
    changedStoredBytes: sum([...once.values()]),
  };
}

/** Whether both have the same bytes at the same places. */
export const isSameMemory = (
  before: ArtifactContainer | undefined,
  after: ArtifactContainer | undefined,
): boolean => JSON.stringify(before?.memory) === JSON.stringify(after?.memory);
