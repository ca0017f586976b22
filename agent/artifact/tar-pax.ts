import { blockBytes, padding, tarHeaderBlock } from './tar-header.ts';

/** Extended header records: key to value, both byte strings, in the order of the archive. */
export type PaxRecords = ReadonlyMap<string, string>;

/** Records of an 'x' entry's bytes; undefined where they are malformed. A later record of a key wins, as pax says. */
export function parsePax(bytes: Buffer): PaxRecords | undefined {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.byteLength) {
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space - at > 10) return undefined;
    const digits = bytes.toString('latin1', at, space);
    const end = /^[1-9][0-9]*$/.test(digits) ? at + Number(digits) : 0;
    const equals = bytes.indexOf(0x3d, space);
    const malformed = end <= space + 2 || end > bytes.byteLength || bytes[end - 1] !== 0x0a;
    if (malformed || equals < 0 || equals >= end) return undefined;
    const key = bytes.toString('latin1', space + 1, equals);
    records.delete(key);
    records.set(key, bytes.toString('latin1', equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** A record starts with its own length, that length's digits included. */
function encodeRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

/** The blocks of an 'x' entry; empty where there are no records. Its own name and times are fixed: equal trees make equal bytes. */
export function paxBlocks(records: PaxRecords): Buffer {
  if (records.size === 0) return Buffer.alloc(0);
  const text = [...records].map(([key, value]) => encodeRecord(key, value)).join('');
  const body = Buffer.from(text, 'latin1');
  const header = tarHeaderBlock({
    name: 'PaxHeaders/entry',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: body.byteLength,
    mtimeSeconds: 0,
    type: 'x',
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return Buffer.concat([header, body, padding(body.byteLength)]);
}

/** Longest 'x' entry that is read: a file's extended attributes are at most a few hundred KiB on the file systems there are. */
export const longestPaxBytes = 4096 * blockBytes;
