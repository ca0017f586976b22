import type { Failure } from '../../core/failure.ts';
import { ByteReader } from './byte-reader.ts';
import { blockBytes, padding, parseTarHeader, type TarHeader } from './tar-header.ts';
import { longestPaxBytes, type PaxRecords, parsePax } from './tar-pax.ts';

/**
 * An entry of an archive. `path` and `linkPath` are the real ones (extended headers and GNU sparse names applied), byte strings as they stand.
 * `body` is what is stored, `storedBytes` long; for a sparse file that is its map and its data. It must be read before the next entry is asked
 * for, or it is skipped.
 */
export type TarEntry = {
  readonly header: TarHeader;
  readonly block: Buffer;
  readonly pax: PaxRecords;
  readonly path: string;
  readonly linkPath: string;
  readonly storedBytes: number;
  readonly body: AsyncIterable<Buffer>;
};

const noRecords: PaxRecords = new Map();

/**
 * Reads a POSIX (pax) archive as a stream, whatever its size. Entry types it does not know the layout of (global headers, old GNU long names and
 * sparse files) are refused, as is an archive that ends before its end mark: `damaged` makes that error.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  damaged: (why: string) => Failure,
): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source, () => damaged('the archive is cut off'));
  let pax = noRecords;
  try {
    for (;;) {
      const block = await reader.take(blockBytes);
      if (block.every((byte) => byte === 0)) {
        if (pax.size > 0) throw damaged('an extended header belongs to nothing');
        return await reader.drain();
      }
      const header = parseTarHeader(block);
      if (header === undefined) throw damaged('a header is malformed');
      if (header.type === 'x') {
        pax = await readPax(reader, header, damaged);
        continue;
      }
      const storedBytes = sizeOf(header, pax);
      if (!Number.isSafeInteger(storedBytes)) throw damaged('a size is malformed');
      if (!/^[0-6]$/.test(header.type)) throw damaged(`entry type ${header.type} is unknown`);
      let left = storedBytes;
      const body = (async function* () {
        for await (const piece of reader.pieces(left)) {
          left -= piece.byteLength;
          yield piece;
        }
      })();
      yield {
        header,
        block,
        pax,
        path: pax.get('GNU.sparse.name') ?? pax.get('path') ?? header.name,
        linkPath: pax.get('linkpath') ?? header.linkName,
        storedBytes,
        body,
      };
      await reader.skip(left); // What the consumer did not want.
      await reader.take(padding(storedBytes).byteLength);
      pax = noRecords;
    }
  } finally {
    await reader.close();
  }
}

/** Only regular files have a body; other types may carry a size that means nothing. */
function sizeOf(header: TarHeader, pax: PaxRecords): number {
  if (header.type !== '0') return 0;
  const size = pax.get('size');
  if (size === undefined) return header.sizeBytes;
  return /^[0-9]{1,16}$/.test(size) ? Number(size) : Number.NaN;
}

async function readPax(
  reader: ByteReader,
  header: TarHeader,
  damaged: (why: string) => Failure,
): Promise<PaxRecords> {
  if (header.sizeBytes > longestPaxBytes) throw damaged('an extended header is too long');
  const records = parsePax(await reader.take(header.sizeBytes));
  if (records === undefined) throw damaged('an extended header is malformed');
  await reader.take(padding(header.sizeBytes).byteLength);
  return records;
}
