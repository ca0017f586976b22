import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCore, parseFilesID } from '../../../../agent/criu-images/core.ts';
import { imageEntries } from '../../../../agent/criu-images/image-file.ts';
import { parseProcessTree } from '../../../../agent/criu-images/process-tree.ts';
import { varint } from '../../../../agent/criu-images/protobuf.ts';
import { Failure } from '../../../../core/failure.ts';
import { imageOf, message } from './image-of.ts';

const tree = (...rows: readonly (readonly [pid: number, parent: number])[]): Buffer =>
  imageOf(
    'pstree',
    ...rows.map(([pid, parent]) => message({ 1: pid, 2: parent, 3: 1, 4: 1, 5: pid })),
  );
const credentials = { 1: 1000, 2: 1001, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 13: 0 };
const core = (change: object = {}): Buffer =>
  imageOf(
    'core',
    message({
      1: 1,
      3: message({ 1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 'python3' }),
      5: message({
        1: 0,
        2: 0,
        10: message({
          ...credentials,
          11: [0x400, 0x100],
          14: [5, 6],
          15: 'restricted',
          ...change,
        }),
        13: 'worker',
      }),
    }),
  );

/** What a parser makes of an enemy's bytes: an answer, or a refusal in words; nothing else. */
function refusesInWords(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    return (
      error instanceof Failure &&
      error.reason === 'ArtifactCorrupt' &&
      error.message.includes('x.img')
    );
  }
}

describe('an image of CRIU', () => {
  it('is read entry by entry, and the inventory by its own head', () => {
    const image = imageOf('files', message({ 1: 7 }), message({}), message({ 2: 'text' }));
    const [first, second, third] = imageEntries('x.img', image, 'files');
    expect(first?.number(1)).toBe(7);
    expect(second?.number(1)).toBeUndefined();
    expect(third?.text(2)).toBe('text');
    expect(imageOf('inventory').readUInt32LE(0)).toBe(0x5831_3116);
  });

  it('of another kind, cut off anywhere or with a field of another type is refused with its name', () => {
    const image = tree([1, 0]);
    expect(() => imageEntries('x.img', image, 'core')).toThrow(
      'x.img is damaged: it does not begin as an image of core',
    );
    for (let length = 9; length < image.byteLength; length += 1) {
      expect(() => parseProcessTree('x.img', image.subarray(0, length))).toThrow('x.img');
    }
    const odd = imageOf('pstree', message({ 1: 'no number' }));
    expect(() => parseProcessTree('x.img', odd)).toThrow('field 1 of an entry is no number');
  });

  it('whatever its bytes are is read or refused in words', async () => {
    const kinds = [
      ['pstree', (image: Buffer) => parseProcessTree('x.img', image)],
      ['core', (image: Buffer) => parseCore('x.img', image)],
      ['ids', (image: Buffer) => parseFilesID('x.img', image)],
    ] as const;
    for (const [kind, parse] of kinds) {
      const property = fc.property(
        fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 4 }),
        (entries) =>
          refusesInWords(() => parse(imageOf(kind, ...entries.map((each) => Buffer.from(each))))),
      );
      await fc.assert(property);
      const unframed = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
        refusesInWords(() => parse(Buffer.concat([imageOf(kind), Buffer.from(bytes)]))),
      );
      await fc.assert(unframed);
    }
  });

  it('with any byte of it changed is read or refused in words', async () => {
    const image = core();
    const property = fc.property(fc.nat(image.byteLength - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(image);
      changed[at] = byte;
      return refusesInWords(() => parseCore('x.img', changed));
    });
    await fc.assert(property);
  });
});

describe('the process tree of an image', () => {
  it('has every process with its parent and threads, packed or not', () => {
    const packed = Buffer.from([...varint(7n), ...varint(300n)]);
    const image = imageOf(
      'pstree',
      message({ 1: 1, 2: 0, 3: 1, 4: 1, 5: [1, 5] }),
      message({ 1: 7, 2: 1, 3: 7, 4: 1, 5: packed }),
    );
    expect(parseProcessTree('x.img', image)).toEqual([
      { pid: 1, parentPid: 0, processGroup: 1, session: 1, threads: [1, 5] },
      { pid: 7, parentPid: 1, processGroup: 7, session: 1, threads: [7, 300] },
    ]);
  });

  it('with a process twice, an unknown parent or none at all is refused', () => {
    expect(() => parseProcessTree('x.img', tree([1, 0], [1, 0]))).toThrow('process 1 stands');
    expect(() => parseProcessTree('x.img', tree([1, 0], [7, 6]))).toThrow('unknown parent 6');
    expect(() => parseProcessTree('x.img', tree([7, 7]))).toThrow('unknown parent 7');
    expect(() => parseProcessTree('x.img', tree())).toThrow('it has no process');
  });
});

describe('the core of an image', () => {
  it('has state, name and credentials, capabilities as one set of 64 bits', () => {
    expect(parseCore('x.img', core())).toMatchObject({
      task: { state: 'alive', command: 'python3', exitCode: 0 },
      threadName: 'worker',
      credentials: {
        uid: 1000,
        gid: 1001,
        capabilities: { effective: (0x100n << 32n) | 0x400n, permitted: 0n },
        groups: [5, 6],
        securityProfile: 'restricted',
      },
    });
  });

  it('with more capabilities than anybody knows, or in an unknown state, is refused', () => {
    expect(() => parseCore('x.img', core({ 11: [0, 0, 1] }))).toThrow('more than 64 bits');
    expect(() => parseCore('x.img', core({ 11: [2 ** 32] }))).toThrow('more than 64 bits');
    const odd = imageOf('core', message({ 3: message({ 1: 9, 2: 0 }) }));
    expect(() => parseCore('x.img', odd)).toThrow('unknown state 9');
  });

  it('of a process that is dead has no credentials', () => {
    const dead = imageOf('core', message({ 1: 1, 3: message({ 1: 2, 2: 256, 6: 'gone' }) }));
    expect(parseCore('x.img', dead)).toMatchObject({
      task: { state: 'dead', exitCode: 256 },
      credentials: undefined,
    });
  });
});
