import { corruptImage, Message } from './message.ts';

/** First word of every image but the inventory, and the word of each kind (CRIU's criu/include/magic.h). */
const commonMagic = 0x5456_4319;
const magics = {
  inventory: 0x5831_3116,
  pstree: 0x5027_3030,
  core: 0x5505_3847,
  ids: 0x5443_2030,
  mm: 0x5749_2820,
  pagemap: 0x5608_4025,
  files: 0x5630_3138,
  fdinfo: 0x5621_3732,
  fs: 0x5140_3912,
  remapFpath: 0x5913_3954,
  mountpoints: 0x5556_3928,
  netns: 0x5593_3752,
  seccomp: 0x6441_3049,
} as const;
export type ImageKind = keyof typeof magics;

/** More than any image of a pod has; an enemy's could be millions of empty ones. */
const mostEntries = 2_000_000;

/** The bytes of an image up to its first entry. */
export function imageHead(kind: ImageKind): Buffer {
  const words = kind === 'inventory' ? [magics.inventory] : [commonMagic, magics[kind]];
  const head = Buffer.alloc(4 * words.length);
  for (const [index, word] of words.entries()) head.writeUInt32LE(word, 4 * index);
  return head;
}

/** The entries of an image in their order. Throws ArtifactCorrupt with the image's name for what is not framed as CRIU does it. */
export function imageEntries(name: string, image: Buffer, kind: ImageKind): readonly Message[] {
  const head = imageHead(kind);
  if (!image.subarray(0, head.byteLength).equals(head)) {
    throw corruptImage(name, `it does not begin as an image of ${kind}`);
  }
  const entries: Message[] = [];
  for (let at = head.byteLength; at < image.byteLength; ) {
    const start = at + 4;
    const end = start <= image.byteLength ? start + image.readUInt32LE(at) : start;
    if (end > image.byteLength) throw corruptImage(name, 'it is cut off');
    if (entries.length === mostEntries) throw corruptImage(name, 'it has too many entries');
    entries.push(new Message(image.subarray(start, end), name));
    at = end;
  }
  return entries;
}

/** The first entry of an image that has one. */
export function firstEntry(name: string, image: Buffer, kind: ImageKind): Message {
  const [first] = imageEntries(name, image, kind);
  if (first === undefined) throw corruptImage(name, 'it has no entry');
  return first;
}
