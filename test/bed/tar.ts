/** One member of a tar archive; paths are relative, without a leading slash. */
export type TarMember =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Buffer }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const blockBytes = 512;
const typeFlag = { file: '0', folder: '5', link: '2' } as const;

/** A ustar archive of the members, owned by root and dated to the epoch: same members, same bytes. */
export function tarArchive(members: readonly TarMember[]): Buffer {
  const parts: Buffer[] = [];
  for (const member of members) {
    parts.push(header(member));
    if (member.kind === 'file') parts.push(member.data, padding(member.data.length));
  }
  parts.push(Buffer.alloc(2 * blockBytes));
  return Buffer.concat(parts);
}

const padding = (length: number): Buffer =>
  Buffer.alloc((blockBytes - (length % blockBytes)) % blockBytes);

function header(member: TarMember): Buffer {
  const block = Buffer.alloc(blockBytes);
  const target = member.kind === 'link' ? member.target : '';
  for (const text of [member.path, target]) {
    if (Buffer.byteLength(text) > 100) throw new Error(`'${text}' is too long for a ustar header`);
  }
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  block.write(member.path, 0);
  block.write(octal(member.kind === 'link' ? 0o777 : member.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(member.kind === 'file' ? member.data.length : 0, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148); // the checksum is counted as if its own field were blank
  block.write(typeFlag[member.kind], 156);
  block.write(target, 157);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
