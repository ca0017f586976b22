/** A unix socket of a network namespace. `peer` is the inode of the socket it is connected to, '0' where it is to none. */
export type UnixSocket = {
  readonly inode: string;
  readonly peer: string;
  /** Connected byte streams and packet sequences lose data when one side is saved without the other; datagram sockets do not. */
  readonly type: 'stream' | 'datagram' | 'packets';
  /** Where it is bound, `*` where it is not. */
  readonly name: string;
};

const types: Readonly<Record<string, UnixSocket['type']>> = {
  u_str: 'stream',
  u_dgr: 'datagram',
  u_seq: 'packets',
};

/**
 * Parses `ss --unix --all --numeric --no-header`. A name may hold spaces, so the inodes are read from the end of the line. A workload that
 * spells a line of its own into a name fools only itself: CRIU looks again, inside the freeze.
 */
export function parseUnixSockets(text: string): readonly UnixSocket[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(u_\w+)\s+\S+\s+\d+\s+\d+\s+(.*\S)\s+(\d+)\s+\S.*?\s(\d+)\s*$/.exec(line);
    const type = types[match?.[1] ?? ''];
    const [, , name, inode, peer] = match ?? [];
    return type === undefined || name === undefined || inode === undefined || peer === undefined
      ? []
      : [{ inode, peer, type, name }];
  });
}

/** Inodes of all MPTCP sockets, from `ss --mptcp --all --numeric --extended --no-header`. */
export function parseMultipathInodes(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/\sino:(\d+)(?=\s|$)/g)].map((match) => match[1] ?? ''));
}
