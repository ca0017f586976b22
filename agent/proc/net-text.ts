/** A TCP socket that listens, from /proc/PID/net/tcp or tcp6. */
export type Listener = {
  readonly address: string;
  readonly inode: string;
  /** Reference count: 1 for a plain listener, 2 for the inner socket of an MPTCP one (seen on Linux 6.18). */
  readonly references: number;
};

/** A TCP connection, from the same tables. */
export type Connection = {
  readonly local: string;
  readonly remote: string;
  readonly inode: string;
};

const established = '01';
const listening = '0A';

/** The listening sockets of a table of /proc/PID/net/tcp or tcp6. */
export function parseListeners(text: string): readonly Listener[] {
  return rowsIn(listening, text).map(({ local, inode, references }) => ({
    address: parseAddress(local),
    inode,
    references,
  }));
}

/** The established connections of a table of /proc/PID/net/tcp or tcp6. */
export function parseConnections(text: string): readonly Connection[] {
  return rowsIn(established, text).map(({ local, remote, inode }) => ({
    local: parseAddress(local),
    remote: parseAddress(remote),
    inode,
  }));
}

function rowsIn(wanted: string, text: string) {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local, remote, state] = fields;
      const inode = fields[9];
      if (local === undefined || remote === undefined || inode === undefined || state !== wanted) {
        return [];
      }
      return [{ local, remote, inode, references: Number(fields[10]) }];
    });
}

/** `0100007F:1F90` -> `127.0.0.1:8080`; words are in the machine's order, which is little-endian on all we run on. */
export function parseAddress(text: string): string {
  const [host = '', port = ''] = text.split(':');
  const words = host.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  const number = Number.parseInt(port, 16);
  if (bytes.length === 4) {
    return `${bytes.map((byte) => Number.parseInt(byte, 16)).join('.')}:${number}`;
  }
  const groups = bytes.join('').toLowerCase().match(/.{4}/g) ?? [];
  const address = groups.map((group) => group.replace(/^0{1,3}/, '')).join(':');
  return `[${/^[0:]*$/.test(address) ? '::' : address}]:${number}`;
}

/** How many MPTCP sockets a network namespace has in use, from /proc/PID/net/protocols; 0 where the kernel has no MPTCP. */
export function countMultipathSockets(protocols: string): number {
  return protocols
    .split('\n')
    .map((line) => line.split(/\s+/))
    .filter(([name]) => name === 'MPTCP' || name === 'MPTCPv6')
    .reduce((sum, fields) => sum + (Number(fields[2]) || 0), 0);
}
