import { corruptImage, type Message } from './message.ts';

const addressFamilies: ReadonlyMap<number, 4 | 6> = new Map([
  [2, 4],
  [10, 6],
]);
const protocols: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmp6'],
  [132, 'sctp'],
  [136, 'udplite'],
  [262, 'mptcp'],
]);
/** include/net/tcp_states.h; unix sockets use three of them. */
const states: ReadonlyMap<number, string> = new Map([
  [1, 'established'],
  [2, 'syn-sent'],
  [3, 'syn-received'],
  [4, 'fin-wait-1'],
  [5, 'fin-wait-2'],
  [6, 'time-wait'],
  [7, 'closed'],
  [8, 'close-wait'],
  [9, 'last-ack'],
  [10, 'listening'],
  [11, 'closing'],
]);
const types: ReadonlyMap<number, string> = new Map([
  [1, 'stream'],
  [2, 'datagram'],
  [3, 'raw'],
  [5, 'seqpacket'],
]);

/** One end of a connection, or where a socket listens. */
export type Endpoint = { readonly address: string; readonly port: number };

export type InetSocket = {
  readonly kind: 'inet';
  readonly protocol: string;
  readonly state: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
};

export type UnixSocket = {
  readonly kind: 'unix';
  readonly type: string;
  readonly state: string;
  /** As `ss` shows it: a path, `@name` of an abstract one, empty of one without a name. */
  readonly name: string;
  readonly inode: number;
  /** Inode of the other end; 0 where there is none. */
  readonly peerInode: number;
};

const named = (names: ReadonlyMap<number, string>, number: number): string =>
  names.get(number) ?? String(number);

/** inet_sk_entry. */
export function inetSocket(name: string, entry: Message | undefined): InetSocket | undefined {
  if (entry === undefined) return undefined;
  const family = addressFamilies.get(entry.required(3));
  if (family === undefined) {
    throw corruptImage(name, `a socket is of the unknown family ${entry.required(3)}`);
  }
  const endpoint = (words: number, port: number): Endpoint => ({
    address: addressText(name, family, entry.numbers(words)),
    port: entry.required(port),
  });
  return {
    kind: 'inet',
    protocol: `${named(protocols, entry.required(5))}${family === 6 ? '6' : ''}`,
    state: named(states, entry.required(6)),
    local: endpoint(11, 7),
    remote: endpoint(12, 8),
  };
}

/** Words as they lie in memory, so on the machines CRIU runs on with their lowest byte first. */
function addressText(name: string, family: 4 | 6, words: readonly number[]): string {
  if (words.length !== (family === 4 ? 1 : 4) || words.some((word) => word >= 2 ** 32)) {
    throw corruptImage(name, 'an address of a socket is malformed');
  }
  const bytes = Buffer.alloc(4 * words.length);
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 4 * index);
  if (family === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    bytes.readUInt16BE(2 * index).toString(16),
  );
  return shortened(groups.join(':'));
}

/** RFC 5952: the longest run of at least two zeros, the first of equals, becomes `::`. */
function shortened(address: string): string {
  const [longest = ''] = (address.match(/(?<![^:])0(:0)+(?![^:])/g) ?? []).toSorted(
    (a, b) => b.length - a.length,
  );
  if (longest === '') return address;
  const at = address.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  const before = address.slice(0, at).replace(/:$/, '');
  const after = address.slice(at + longest.length).replace(/^:/, '');
  return `${before}::${after}`;
}

/** unix_sk_entry. */
export function unixSocket(entry: Message | undefined): UnixSocket | undefined {
  if (entry === undefined) return undefined;
  return {
    kind: 'unix',
    type: named(types, entry.required(3)),
    state: named(states, entry.required(4)),
    name: socketName(entry.bytes(11) ?? Buffer.alloc(0), entry.text(14)),
    inode: entry.required(2),
    peerInode: entry.required(8),
  };
}

function socketName(name: Buffer, directory: string | undefined): string {
  if (name.byteLength === 0) return '';
  if (name[0] === 0) return `@${name.toString('utf8', 1)}`;
  const end = name.indexOf(0);
  const path = name.toString('utf8', 0, end < 0 ? name.byteLength : end);
  return directory === undefined || path.startsWith('/') ? path : `${directory}/${path}`;
}
