import { fitsHeader, padding, type TarHeader, tarHeaderBlock } from './tar-header.ts';
import { type PaxRecords, paxBlocks } from './tar-pax.ts';

/** Eleven octal digits; a pax record says what is larger. */
const largestHeaderSize = 8 ** 11 - 1;

/** A regular file or another simple entry, owned by root, with fixed times: equal content makes equal bytes. `path` is a byte string. */
export function plainHeader(
  path: string,
  type: '0' | '5',
  mode: number,
  sizeBytes: number,
): Buffer {
  const fitsField = sizeBytes <= largestHeaderSize;
  const header: TarHeader = {
    name: path,
    mode,
    uid: 0,
    gid: 0,
    sizeBytes: fitsField ? sizeBytes : 0,
    mtimeSeconds: 0,
    type,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };
  const records: PaxRecords = new Map([
    ...(fitsHeader(path) ? [] : [['path', path] as const]),
    ...(fitsField ? [] : [['size', String(sizeBytes)] as const]),
  ]);
  return Buffer.concat([paxBlocks(records), tarHeaderBlock(header)]);
}

/** The blocks of a whole file: header, bytes as they come, padding. Throws when they are not `sizeBytes`. */
export async function* plainFile(
  path: string,
  mode: number,
  sizeBytes: number,
  bytes: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield plainHeader(path, '0', mode, sizeBytes);
  let seen = 0;
  for await (const piece of bytes) {
    seen += piece.byteLength;
    yield piece;
  }
  if (seen !== sizeBytes) throw new Error(`${path} has ${seen} bytes instead of ${sizeBytes}`);
  yield padding(sizeBytes);
}
