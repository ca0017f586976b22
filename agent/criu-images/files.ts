import { imageEntries } from './image-file.ts';
import type { Message } from './message.ts';
import { type InetSocket, inetSocket, type UnixSocket, unixSocket } from './sockets.ts';

/** What a descriptor leads to. `flags`: those of open(2). */
export type OpenFile =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly flags: number;
      readonly positionBytes: bigint;
      readonly sizeBytes: bigint | undefined;
      readonly mode: number | undefined;
    }
  | { readonly kind: 'pipe'; readonly pipeID: number; readonly flags: number }
  | { readonly kind: 'fifo'; readonly pipeID: number }
  | { readonly kind: 'eventfd'; readonly counter: bigint }
  | { readonly kind: 'epoll'; readonly watched: readonly number[] }
  | { readonly kind: 'inotify'; readonly watches: number }
  | InetSocket
  | UnixSocket
  | { readonly kind: OtherKind }
  | { readonly kind: 'unknown'; readonly type: number };

/** fd_types of fdinfo.proto of which no more is told than what they are. */
const otherKinds = {
  9: 'signalfd',
  10: 'packet socket',
  11: 'terminal',
  12: 'fanotify',
  13: 'netlink socket',
  14: 'namespace',
  15: 'tun',
  16: 'external',
  17: 'timer',
  18: 'memfd',
  19: 'bpf map',
  20: 'pidfd',
} as const satisfies Record<number, string>;
type OtherKind = (typeof otherKinds)[keyof typeof otherKinds];
const others: ReadonlyMap<number, OtherKind> = new Map(
  Object.entries(otherKinds).map(([type, kind]) => [Number(type), kind]),
);

/** files.img (file_entry): what is open anywhere in the tree, by id. */
export const parseFiles = (name: string, image: Buffer): ReadonlyMap<number, OpenFile> =>
  new Map(
    imageEntries(name, image, 'files').map((entry) => [entry.required(2), openFile(name, entry)]),
  );

function openFile(name: string, entry: Message): OpenFile {
  const type = entry.required(1);
  const described =
    regularFile(entry.message(3)) ??
    pipe(entry) ??
    eventFile(entry) ??
    inetSocket(name, entry.message(4)) ??
    unixSocket(entry.message(16));
  if (described !== undefined) return described;
  const other = others.get(type);
  return other === undefined ? { kind: 'unknown', type } : { kind: other };
}

function regularFile(file: Message | undefined): OpenFile | undefined {
  if (file === undefined) return undefined;
  return {
    kind: 'file',
    path: file.text(6) ?? '',
    flags: file.required(2),
    positionBytes: file.requiredBits(3),
    sizeBytes: file.bits(8),
    mode: file.number(10),
  };
}

function pipe(entry: Message): OpenFile | undefined {
  const anonymous = entry.message(18);
  if (anonymous !== undefined) {
    return { kind: 'pipe', pipeID: anonymous.required(2), flags: anonymous.required(3) };
  }
  const named = entry.message(17);
  return named === undefined ? undefined : { kind: 'fifo', pipeID: named.required(2) };
}

function eventFile(entry: Message): OpenFile | undefined {
  const counter = entry.message(8);
  if (counter !== undefined) return { kind: 'eventfd', counter: counter.requiredBits(4) };
  const epoll = entry.message(9);
  if (epoll !== undefined) {
    return { kind: 'epoll', watched: epoll.messages(4).map((target) => target.required(2)) };
  }
  const inotify = entry.message(13);
  return inotify === undefined
    ? undefined
    : { kind: 'inotify', watches: inotify.messages(5).length };
}
