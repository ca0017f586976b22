import { describe, expect, it } from 'vitest';
import { withMendedTimers } from '../../../../../agent/capture/criu/mend-timers.ts';
import {
  encodeFields,
  type Field,
  parseFields,
} from '../../../../../agent/criu-images/protobuf.ts';

const magic = Buffer.from('1943565438313056', 'hex');

/** An image of open files as CRIU 4.2 writes it. */
const imageOf = (...entries: readonly (readonly Field[])[]): Buffer =>
  Buffer.concat([
    magic,
    ...entries.flatMap((fields) => {
      const entry = encodeFields(fields);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(entry.byteLength);
      return [length, entry];
    }),
  ]);

/** Numbers as seen in an image of `kernel-objects`: monotonic, one tick due. */
const timer = (
  seconds: bigint,
  nanoseconds: bigint,
  everySeconds: bigint,
  every: bigint,
): readonly Field[] => [
  { field: 1, value: 17n },
  { field: 2, value: 15n },
  {
    field: 12,
    bytes: encodeFields([
      { field: 1, value: 15n },
      { field: 2, value: 2050n },
      { field: 3, bytes: Buffer.from('08001000180020002800', 'hex') },
      { field: 4, value: 1n },
      { field: 5, value: 1n },
      { field: 6, value: 0n },
      { field: 7, value: seconds },
      { field: 8, value: nanoseconds },
      { field: 9, value: everySeconds },
      { field: 10, value: every },
    ]),
  },
];
const other: readonly Field[] = [
  { field: 1, value: 1n },
  { field: 2, value: 3n },
  { field: 3, bytes: Buffer.from('any bytes') },
];

describe('the image of open files', () => {
  it('gets a whole period for each periodic timer whose tick is due, and nothing else changes', () => {
    const image = imageOf(other, timer(0n, 0n, 0n, 10_000_000n), timer(5n, 0n, 1n, 0n), other);
    expect(withMendedTimers(image)).toEqual(
      imageOf(other, timer(0n, 10_000_000n, 0n, 10_000_000n), timer(5n, 0n, 1n, 0n), other),
    );
    expect(withMendedTimers(imageOf(timer(0n, 0n, 3n, 7n)))).toEqual(
      imageOf(timer(3n, 7n, 3n, 7n)),
    );
  });

  it('stays as it is where no timer needs it: running, once only, not armed', () => {
    const image = imageOf(other, timer(3596n, 664_897_173n, 0n, 0n), timer(0n, 0n, 0n, 0n));
    expect(withMendedTimers(image)).toBeUndefined();
    expect(withMendedTimers(imageOf())).toBeUndefined();
  });

  it('stays as it is where it is not what this version of CRIU writes', () => {
    const image = imageOf(timer(0n, 0n, 0n, 1n));
    expect(
      withMendedTimers(Buffer.concat([Buffer.from('00000000', 'hex'), image])),
    ).toBeUndefined();
    for (let length = 0; length < image.byteLength; length += 1) {
      expect(withMendedTimers(image.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
    const odd = Buffer.concat([
      magic,
      Buffer.from('02000000 0dff', 'hex'),
      Buffer.from('02000000ffff', 'hex'),
    ]);
    expect(withMendedTimers(odd)).toBeUndefined();
  });

  it('has fields that are read and written the same', () => {
    const fields = timer(1n, 2n ** 63n, 3n, 4n);
    expect(parseFields(encodeFields(fields))).toEqual(fields);
    expect(parseFields(Buffer.from('ff', 'hex'))).toBeUndefined();
    expect(parseFields(Buffer.from('0a05ff', 'hex'))).toBeUndefined();
    expect(parseFields(Buffer.from('0900', 'hex'))).toBeUndefined();
  });
});
