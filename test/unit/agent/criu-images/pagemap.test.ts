import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  locate,
  type Pagemap,
  parsePagemap,
  residentBytes,
} from '../../../../agent/criu-images/pagemap.ts';
import { imageOf, message } from './image-of.ts';

const pageBytes = 4096;
const head = message({ 1: 3 });

/** Whether each of the first pages of an address space is in the image, and where: what the functions are compared with. */
function pagesOf({ runs }: Pagemap, count: number): readonly (number | undefined)[] {
  const pages: (number | undefined)[] = Array(count).fill(undefined);
  for (const { address, pages: length, firstPage } of runs) {
    for (let index = 0; index < length; index += 1) {
      if (firstPage !== undefined) pages[Number(address) / pageBytes + index] = firstPage + index;
    }
  }
  return pages;
}

/** Runs that do not overlap, with gaps, some of them absent. */
const pagemaps = fc
  .array(
    fc.record({ gap: fc.nat(3), pages: fc.integer({ min: 1, max: 4 }), present: fc.boolean() }),
    {
      maxLength: 8,
    },
  )
  .map((list): Pagemap => {
    let [address, presentPages] = [0, 0];
    const runs = list.map(({ gap, pages, present }) => {
      const run = {
        address: BigInt((address + gap) * pageBytes),
        pages,
        firstPage: present ? presentPages : undefined,
      };
      address += gap + pages;
      if (present) presentPages += pages;
      return run;
    });
    return { pagesID: 1, presentPages, runs };
  });
const ranges = fc
  .tuple(fc.nat(60 * pageBytes), fc.nat(20 * pageBytes))
  .map(([start, length]) => ({ start: BigInt(start), end: BigInt(start + length) }));

describe('the pages of a process', () => {
  it('are counted in the pages image run by run, in either form of CRIU', () => {
    const image = imageOf(
      'pagemap',
      head,
      message({ 1: 0x5000, 2: 0, 4: 4, 5: 2 }),
      message({ 1: 0x1000, 2: 3, 4: 6 }),
      message({ 1: 0x9000, 2: 1, 4: 1 }),
      message({ 1: 0xa000, 2: 1 }),
      message({ 1: 0xb000, 2: 1, 3: 1 }),
    );
    expect(parsePagemap('pagemap-1.img', image)).toEqual({
      ...{ pagesID: 3, presentPages: 6 },
      runs: [
        { address: 0x1000n, pages: 3, firstPage: 2 },
        { address: 0x5000n, pages: 2, firstPage: 0 },
        { address: 0x9000n, pages: 1, firstPage: undefined },
        { address: 0xa000n, pages: 1, firstPage: 5 },
        { address: 0xb000n, pages: 1, firstPage: undefined },
      ],
    });
    expect(() => parsePagemap('pagemap-1.img', imageOf('pagemap'))).toThrow('it has no entry');
  });

  it('are found for any range: each byte where it lies, and the gaps', async () => {
    const property = fc.property(pagemaps, ranges, (pagemap, range) => {
      const pages = pagesOf(pagemap, 100);
      let at = Number(range.start);
      for (const { lengthBytes, offsetBytes } of locate(range, pagemap, pageBytes)) {
        for (const place of [0, lengthBytes - 1]) {
          const page = pages[Math.floor((at + place) / pageBytes)];
          const expected =
            page === undefined ? undefined : page * pageBytes + ((at + place) % pageBytes);
          if (expected !== (offsetBytes === undefined ? undefined : offsetBytes + place)) {
            return false;
          }
        }
        at += lengthBytes;
      }
      return at === Number(range.end);
    });
    await fc.assert(property);
  });

  it('are counted for ranges in order as for each alone', async () => {
    const counted = fc.property(pagemaps, fc.array(ranges, { maxLength: 6 }), (pagemap, list) => {
      const ordered = list.toSorted((a, b) => Number(a.start - b.start));
      const expected = ordered.map((range) =>
        locate(range, pagemap, pageBytes)
          .filter(({ offsetBytes }) => offsetBytes !== undefined)
          .reduce((sum, { lengthBytes }) => sum + lengthBytes, 0),
      );
      return residentBytes(ordered, pagemap, pageBytes).join() === expected.join();
    });
    await fc.assert(counted);
  });
});
