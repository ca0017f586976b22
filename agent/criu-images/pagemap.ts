import { imageEntries } from './image-file.ts';
import type { Range } from './memory-map.ts';
import { corruptImage } from './message.ts';

/** Bits of pagemap_entry.flags (criu/include/pagemap.h). */
const inParent = 1;
const present = 4;

/** Pages that follow each other. `firstPage`: where they begin in the pages image; undefined where they are not in it. */
export type Run = {
  readonly address: bigint;
  readonly pages: number;
  readonly firstPage: number | undefined;
};

/** Which pages of a process, or of a piece of shared memory, are in which pages image. Runs in order of their addresses. */
export type Pagemap = {
  readonly pagesID: number;
  readonly presentPages: number;
  readonly runs: readonly Run[];
};

/** pagemap-*.img (pagemap_head, then pagemap_entry). */
export function parsePagemap(name: string, image: Buffer): Pagemap {
  const [head, ...entries] = imageEntries(name, image, 'pagemap');
  if (head === undefined) throw corruptImage(name, 'it has no entry');
  let presentPages = 0;
  const runs = entries.map((entry): Run => {
    const flags = entry.number(4);
    // Field 2 held the count until CRIU 4.2, and is zero from then on; without flags everything that is in no parent is there.
    const pages = entry.number(5) ?? entry.required(2);
    const isPresent =
      flags === undefined ? entry.number(3) !== 1 : (flags & (present | inParent)) === present;
    const firstPage = isPresent ? presentPages : undefined;
    if (isPresent) presentPages += pages;
    if (!Number.isSafeInteger(presentPages)) throw corruptImage(name, 'it has too many pages');
    return { address: entry.requiredBits(1), pages, firstPage };
  });
  return {
    pagesID: head.required(1),
    presentPages,
    runs: runs.toSorted((a, b) => (a.address < b.address ? -1 : 1)),
  };
}

/** Bytes of each range that are in the pages image; ranges in order of their starts. */
export function residentBytes(
  ranges: readonly Range[],
  { runs }: Pagemap,
  pageBytes: number,
): readonly number[] {
  let first = 0;
  return ranges.map(({ start, end }) => {
    let bytes = 0n;
    for (let index = first; index < runs.length; index += 1) {
      const run = runs[index];
      if (run === undefined || run.address >= end) break;
      const runEnd = run.address + BigInt(run.pages) * BigInt(pageBytes);
      if (runEnd <= start) {
        if (index === first) first += 1;
        continue;
      }
      if (run.firstPage === undefined) continue;
      bytes += (runEnd < end ? runEnd : end) - (run.address > start ? run.address : start);
    }
    return Number(bytes);
  });
}

/** A stretch of a process' memory: where its bytes are in the pages image, or that they are not in it. */
export type Stretch = {
  readonly lengthBytes: number;
  readonly offsetBytes: number | undefined;
};

/** Where the bytes of a range lie, in order and without gaps. */
export function locate(range: Range, { runs }: Pagemap, pageBytes: number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let at = range.start;
  const upTo = (end: bigint, offsetBytes: number | undefined): void => {
    if (end <= at) return;
    stretches.push({ lengthBytes: Number(end - at), offsetBytes });
    at = end;
  };
  for (const { address, pages, firstPage } of runs) {
    const runEnd = address + BigInt(pages) * BigInt(pageBytes);
    if (runEnd <= at) continue;
    if (address >= range.end) break;
    upTo(address < range.end ? address : range.end, undefined);
    const offset =
      firstPage === undefined ? undefined : firstPage * pageBytes + Number(at - address);
    upTo(runEnd < range.end ? runEnd : range.end, offset);
  }
  upTo(range.end, undefined);
  return stretches;
}
