import { fitsHeader, padding, type TarHeader, tarHeaderBlock } from './tar-header.ts';
import { type PaxRecords, paxBlocks } from './tar-pax.ts';

/** A regular file or another simple entry, owned by root, with fixed times: equal content makes equal bytes. `path` is a byte string. */
export function plainHeader(
  path: string,
  type: '0' | '5',
  mode: number,
  sizeBytes: number,
): Buffer {
  const header: TarHeader = {
    name: path,
    mode,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtimeSeconds: 0,
    type,
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };
  const records: PaxRecords = new Map(fitsHeader(path) ? [] : [['path', path]]);
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
