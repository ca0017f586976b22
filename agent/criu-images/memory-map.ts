import { firstEntry } from './image-file.ts';
import { corruptImage, type Message } from './message.ts';

/** Bits of vma_entry.status (criu/include/image.h), and of mmap(2). */
const status = {
  vsyscall: 1 << 2,
  vdso: 1 << 3,
  heap: 1 << 5,
  filePrivate: 1 << 6,
  fileShared: 1 << 7,
  anonShared: 1 << 8,
  sysvIPC: 1 << 10,
  socket: 1 << 11,
  vvar: 1 << 12,
  aioRing: 1 << 13,
} as const;
const mapShared = 1;

export const mappingKinds = [
  'file',
  'anonymous',
  'heap',
  'stack',
  'shared memory',
  'kernel',
] as const;
export type MappingKind = (typeof mappingKinds)[number];

/** A piece of address space. */
export type Mapping = {
  readonly start: bigint;
  readonly end: bigint;
  /** `r`, `w`, `x` or `-`, and `s` for shared, `p` for private, as /proc/<pid>/maps has them. */
  readonly protection: string;
  readonly kind: MappingKind;
  /** For a file its id in files.img, for shared memory that of its own pagemap image. */
  readonly sourceID: bigint;
  readonly offsetBytes: bigint;
};

/** Where a process has its memory, its arguments and its environment. */
export type MemoryMap = {
  readonly executableID: number;
  readonly argumentsAt: Range;
  readonly environmentAt: Range;
  /** In order of their addresses. */
  readonly mappings: readonly Mapping[];
};
export type Range = { readonly start: bigint; readonly end: bigint };

/** mm-<pid>.img (mm_entry). */
export function parseMemoryMap(name: string, image: Buffer): MemoryMap {
  const entry = firstEntry(name, image, 'mm');
  const range = (start: number, end: number, of: Message = entry): Range => {
    const found = { start: of.requiredBits(start), end: of.requiredBits(end) };
    if (found.start > found.end) throw corruptImage(name, 'a range ends before it starts');
    return found;
  };
  // CRIU marks no mapping as the stack any more.
  const stack = entry.requiredBits(5);
  return {
    executableID: entry.required(12),
    argumentsAt: range(8, 9),
    environmentAt: range(10, 11),
    mappings: entry
      .messages(14)
      .map((mapping) => {
        const at = range(1, 2, mapping);
        return {
          ...at,
          protection: protectionOf(mapping.required(5), mapping.required(6)),
          kind: kindOf(mapping.required(7), at.start <= stack && stack < at.end),
          sourceID: mapping.requiredBits(4),
          offsetBytes: mapping.requiredBits(3),
        };
      })
      .toSorted((a, b) => (a.start < b.start ? -1 : 1)),
  };
}

const protectionOf = (protection: number, flags: number): string =>
  [
    (protection & 1) !== 0 ? 'r' : '-',
    (protection & 2) !== 0 ? 'w' : '-',
    (protection & 4) !== 0 ? 'x' : '-',
    (flags & mapShared) !== 0 ? 's' : 'p',
  ].join('');

function kindOf(bits: number, isStack: boolean): MappingKind {
  const has = (...names: readonly (keyof typeof status)[]): boolean =>
    names.some((each) => (bits & status[each]) !== 0);
  if (has('vsyscall', 'vdso', 'vvar', 'socket', 'aioRing')) return 'kernel';
  if (has('filePrivate', 'fileShared')) return 'file';
  if (has('anonShared', 'sysvIPC')) return 'shared memory';
  if (has('heap')) return 'heap';
  return isStack ? 'stack' : 'anonymous';
}
