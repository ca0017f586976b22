import { varint } from '../../../criu-images/protobuf.ts';
import type { HeaderForm, Run, Target } from './protocol.ts';

/** First two words of the image that lists the pages of a process or of shared memory: CRIU's common magic number and this image's own. */
const magic: readonly number[] = [0x5456_4319, 0x5608_4025];

/** Name of the image that lists the pages of a target. */
export const pagemapName = ({ kind, id }: Target): string =>
  kind === 'process' ? `pagemap-${id}.img` : `pagemap-shmem-${id}.img`;

/** Name of the image with the pages themselves; numbered from 1 in the order in which targets are opened. */
export const pagesName = (number: number): string => `pages-${number}.img`;

/** What stands before the runs: the magic numbers, and which pages image the list is about. */
export function pagemapHead(pagesNumber: number): Uint8Array {
  const words = new DataView(new ArrayBuffer(8));
  magic.forEach((word, index) => {
    words.setUint32(index * 4, word, true);
  });
  const head = record([[1, BigInt(pagesNumber)]]);
  return Buffer.concat([new Uint8Array(words.buffer), head]);
}

/**
 * One run of pages as CRIU notes it itself. From 4.2 on, known by its long headers, the number of pages is in field 5, and field 2, which held it
 * until then and must not be left out, is zero.
 */
export function pagemapRun(run: Run, form: HeaderForm): Uint8Array {
  const pages = BigInt(run.pages);
  const flags = BigInt(run.flags);
  return form === 32
    ? record([
        [1, run.address],
        [2, 0n],
        [4, flags],
        [5, pages],
      ])
    : record([
        [1, run.address],
        [2, pages],
        [4, flags],
      ]);
}

/** A protobuf message of unsigned numbers, with its length in front as CRIU's images have it. */
function record(fields: readonly (readonly [field: number, value: bigint])[]): Uint8Array {
  const body = fields.flatMap(([field, value]) => [
    ...varint(BigInt(field << 3)),
    ...varint(value),
  ]);
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, body.length, true);
  return Buffer.concat([new Uint8Array(length.buffer), Uint8Array.from(body)]);
}
