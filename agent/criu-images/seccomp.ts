import { imageEntries } from './image-file.ts';

/** A filter of seccomp.img. `previous`: the one that was set before it, by its place in the image. */
export type SeccompFilter = {
  readonly previous: number | undefined;
  /** SECCOMP_FILTER_FLAG_TSYNC: CRIU puts it on every thread of the process. */
  readonly isSynced: boolean;
};

const syncFlag = 1;

/** seccomp.img (seccomp_entry). */
export const parseSeccompFilters = (name: string, image: Buffer): readonly SeccompFilter[] =>
  (imageEntries(name, image, 'seccomp')[0]?.messages(1) ?? []).map((filter) => ({
    previous: filter.word(2),
    isSynced: ((filter.word(3) ?? 0) & syncFlag) !== 0,
  }));

/**
 * Whether the filter in this place, and each before it, is put on every thread. Where all threads of a process have the same filters CRIU dumps
 * those of the first alone, marks them so and leaves the others without (criu/seccomp.c, try_use_tsync).
 */
export function reachesEveryThread(filters: readonly SeccompFilter[], place: number): boolean {
  const seen = new Set<number>();
  for (let at: number | undefined = place; at !== undefined; at = filters[at]?.previous) {
    if (seen.has(at) || filters[at]?.isSynced !== true) return false;
    seen.add(at);
  }
  return true;
}
