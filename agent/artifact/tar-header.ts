/** Length of a tar block in bytes; everything in a tar is padded to it. */
export const blockBytes = 512;

/** Field offsets and lengths of POSIX ustar (IEEE Std 1003.1, pax). */
const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
} as const;
type Field = (typeof fields)[keyof typeof fields];

/**
 * A header block. Names are byte strings: one character per byte (latin1), because a file name is bytes and need not be UTF-8.
 * `type`: the type flag, '0' for a regular file also where the archive says NUL or '7'.
 */
export type TarHeader = {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly type: string;
  readonly linkName: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
};

const slice = (block: Buffer, [start, length]: Field): Buffer =>
  block.subarray(start, start + length);

function text(block: Buffer, field: Field): string {
  const bytes = slice(block, field);
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}

/** Octal, or base 256 when the first bit is set (large or negative numbers); NaN for anything else. */
function number(block: Buffer, field: Field): number {
  const bytes = slice(block, field);
  const first = bytes[0] ?? 0;
  if (first === 0x80) {
    return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
  }
  const digits = text(block, field).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function checksum(block: Buffer): number {
  const [start, length] = fields.checksum;
  let sum = 0x20 * length;
  for (let at = 0; at < blockBytes; at += 1) {
    if (at < start || at >= start + length) sum += block[at] ?? 0;
  }
  return sum;
}

/** The header in a block, or undefined where the block is none: wrong checksum, wrong magic, numbers that are none. */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  if (number(block, fields.checksum) !== checksum(block)) return undefined;
  const magic = text(block, fields.magic);
  // GNU tar's own format differs in the prefix, where it may keep times, and in entry types that readers refuse.
  if (magic !== 'ustar' && magic !== 'ustar  ') return undefined;
  const prefix = magic === 'ustar' ? text(block, fields.prefix) : '';
  const name = text(block, fields.name);
  const type = text(block, fields.type);
  const header: TarHeader = {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(block, fields.mode),
    uid: number(block, fields.uid),
    gid: number(block, fields.gid),
    sizeBytes: number(block, fields.size),
    mtimeSeconds: number(block, fields.mtime),
    type: type === '' || type === '7' ? '0' : type,
    linkName: text(block, fields.linkName),
    deviceMajor: number(block, fields.deviceMajor),
    deviceMinor: number(block, fields.deviceMinor),
  };
  return Number.isSafeInteger(header.sizeBytes) ? header : undefined;
}

function seal(block: Buffer): Buffer {
  const [start] = fields.checksum;
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, start, 'latin1');
  return block;
}

/** A header block. Names longer than the field are cut: the whole name is in the pax records before it. Numbers must fit. */
export function tarHeaderBlock(header: TarHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  const put = (value: string, [start, length]: Field): void => {
    block.write(value.slice(0, length), start, 'latin1');
  };
  const octal = (value: number, field: Field): void =>
    put(`${value.toString(8).padStart(field[1] - 1, '0')}\0`, field);
  put(header.name, fields.name);
  octal(header.mode, fields.mode);
  octal(header.uid, fields.uid);
  octal(header.gid, fields.gid);
  octal(header.sizeBytes, fields.size);
  octal(header.mtimeSeconds, fields.mtime);
  put(header.type, fields.type);
  put(header.linkName, fields.linkName);
  put('ustar\x0000', fields.magic);
  octal(header.deviceMajor, fields.deviceMajor);
  octal(header.deviceMinor, fields.deviceMinor);
  return seal(block);
}

/** The same block under another name; every other byte stays. The name must fit its field. */
export function renamedBlock(block: Buffer, name: string): Buffer {
  const copy = Buffer.from(block);
  slice(copy, fields.name).fill(0);
  slice(copy, fields.prefix).fill(0);
  copy.write(name, 0, fields.name[1], 'latin1');
  return seal(copy);
}

/** True when a header can hold the name as it is. */
export const fitsHeader = (name: string): boolean => name.length <= fields.name[1];

/** Zeros from `sizeBytes` to the end of its last block. */
export const padding = (sizeBytes: number): Buffer =>
  Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);

/** What ends an archive: two blocks of zeros. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockBytes);
