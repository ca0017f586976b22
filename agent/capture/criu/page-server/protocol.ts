/**
 * CRIU's page-server protocol as the receiver of a dump sees it. Every message begins with a header, little endian; its form depends on CRIU's
 * version: 24 bytes up to 4.1 (u32 command, u32 pages, u64 address, u64 target), 32 from 4.2 (u32 command, 4 unused, u64 pages, ...).
 */
export type HeaderForm = 24 | 32;

/** CRIU counts memory in pages of the machine; the machines this runs on have pages of 4 KiB. */
export const pageBytes = 4096;

/** Whose pages follow: a process, by its pid in its own namespace, or a piece of shared memory, by CRIU's number for it. */
export type Target = { readonly kind: 'process' | 'sharedMemory'; readonly id: bigint };

/** Bits of a run's flags, as they also stand in the images. */
export const runFlags = { parent: 1, lazy: 2, present: 4 } as const;
const knownFlags = runFlags.parent | runFlags.lazy | runFlags.present;

/** A run of consecutive pages; their contents follow when the flags say present. */
export type Run = {
  readonly address: bigint;
  readonly pages: number;
  readonly flags: number;
};

export type Message =
  | { readonly kind: 'open'; readonly target: Target }
  | { readonly kind: 'run'; readonly target: Target; readonly run: Run }
  /** Asks whether an earlier dump of the target is there to build on. */
  | { readonly kind: 'parent'; readonly target: Target }
  | { readonly kind: 'close' };

const commands = {
  open: 4,
  parent: 5,
  addWithFlags: 6,
  close: 0x1023,
  forceClose: 0x1024,
} as const;

/** Commands that are left unanswered on purpose, for the message. */
const refused: ReadonlyMap<number, string> = new Map([
  [1, 'ADD, which no CRIU since 3.5 sends'],
  [2, 'HOLE, which no CRIU since 3.5 sends'],
  [3, 'OPEN, which no CRIU since 1.4 sends'],
  [7, 'GET, which belongs to lazy pages'],
]);

/** The peer does not speak the protocol, or not as a dump does. */
export class ProtocolError extends Error {}

/** The command in the low half of the first word, the flags of a run in its high half. */
const commandOf = (header: DataView): number => header.getUint32(0, true) & 0xffff;

/** True when the header ends the connection; it needs no more than the short form's length to be known as such. */
export function isClose(header: DataView): boolean {
  const command = commandOf(header);
  return command === commands.close || command === commands.forceClose;
}

/**
 * The form of the peer's headers, from the first 24 bytes it ever sends. That is a message with only the target set (open or parent): in the
 * short form the target fills bytes 16 to 23, in the long one these are the address, which is zero.
 */
export function headerForm(first: DataView): HeaderForm {
  return first.getBigUint64(16, true) === 0n ? 32 : 24;
}

/** Parses one whole header. Throws ProtocolError. */
export function parseMessage(header: DataView, form: HeaderForm): Message {
  if (isClose(header)) return { kind: 'close' };
  const command = commandOf(header);
  const old = refused.get(command);
  if (old !== undefined) throw new ProtocolError(`the peer sent ${old}`);
  const long = form === 32;
  const target = targetOf(header.getBigUint64(long ? 24 : 16, true));
  if (command === commands.open) return { kind: 'open', target };
  if (command === commands.parent) return { kind: 'parent', target };
  if (command !== commands.addWithFlags) throw new ProtocolError(`command ${command} is not known`);
  const pages = long ? header.getBigUint64(8, true) : BigInt(header.getUint32(4, true));
  const address = header.getBigUint64(long ? 16 : 8, true);
  return { kind: 'run', target, run: runOf(address, pages, header.getUint32(0, true) >>> 16) };
}

function targetOf(number: bigint): Target {
  const kind = Number(number & 0xffn);
  const id = number >> 8n;
  if (kind === 1) return { kind: 'process', id };
  if (kind === 2) return { kind: 'sharedMemory', id };
  throw new ProtocolError(`pages of kind ${kind} are not known`);
}

/** The images have 32 bits for the number of pages, and the address space 64 for what they cover. */
function runOf(address: bigint, pages: bigint, flags: number): Run {
  const end = address + pages * BigInt(pageBytes);
  if (pages < 1n || pages > 0xffff_ffffn || end > 1n << 64n) {
    throw new ProtocolError(`a run of ${pages} pages at address ${address} cannot be`);
  }
  if ((flags & ~knownFlags) !== 0) throw new ProtocolError(`flags ${flags} are not known`);
  return { address, pages: Number(pages), flags };
}
