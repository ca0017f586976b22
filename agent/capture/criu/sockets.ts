import { countMultipathSockets, parseConnections } from '../../proc/net-text.ts';
import { readProc } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';
import { parseMultipathInodes, parseUnixSockets } from '../../proc/socket-text.ts';
import type { OutsideConnection, ProcessFacts, SourceFacts } from '../facts.ts';

type SocketFacts = Pick<
  SourceFacts,
  'multipathConnections' | 'unixPeersOutside' | 'tcpConnections'
>;

type Holder = Omit<OutsideConnection, 'what'>;

/**
 * The connections of the source that lead out of it. /proc does not say whom a unix socket is connected to; netlink does, and `ss` asks it
 * inside the source's network namespace. Where ss is not there nothing is found, and CRIU refuses such a socket itself, in the freeze.
 */
export async function findOutsideConnections(
  procRoot: string,
  pid: number,
  processes: readonly ProcessFacts[],
  signal: AbortSignal,
): Promise<SocketFacts> {
  const holders = holdersOfSockets(processes);
  if (holders.size === 0) {
    return { unixPeersOutside: [], multipathConnections: [], tcpConnections: [] };
  }
  const network = `${procRoot}/${pid}/net`;
  const hasMultipath = countMultipathSockets((await readProc(`${network}/protocols`)) ?? '') > 0;
  const [unixTable, multipathTable, ...tables] = await Promise.all([
    socketTable(procRoot, pid, 'unix', signal),
    hasMultipath ? socketTable(procRoot, pid, 'mptcp', signal) : '',
    ...['tcp', 'tcp6'].map((name) => readProc(`${network}/${name}`)),
  ]);
  const unix = parseUnixSockets(unixTable);
  const multipath = parseMultipathInodes(multipathTable);
  const names = new Map(unix.map((socket) => [socket.inode, socket.name]));
  const connections = tables.flatMap((table) => parseConnections(table ?? ''));
  const held = connections.flatMap(({ inode, local, remote }) =>
    named(holders.get(inode), `TCP ${local} to ${remote}`).map((one) => ({
      ...{ ...one, inode, local, remote },
    })),
  );
  return {
    unixPeersOutside: unix
      .filter(({ type, peer }) => type !== 'datagram' && peer !== '0' && !holders.has(peer))
      .flatMap(({ inode, peer, name }) =>
        named(holders.get(inode), `unix socket ${nameOf(name, names.get(peer))}`),
      ),
    multipathConnections: held.filter(({ inode }) => multipath.has(inode)),
    tcpConnections: held.filter(({ inode }) => !multipath.has(inode)),
  };
}

/** One side usually has no name: the other's is then the one people know. */
const nameOf = (own: string, peer: string | undefined): string => {
  const name = own === '*' ? (peer ?? '*') : own;
  return name === '*' ? 'without a name' : name;
};

function named(holder: Holder | undefined, what: string): readonly OutsideConnection[] {
  return holder === undefined ? [] : [{ ...holder, what }];
}

function holdersOfSockets(processes: readonly ProcessFacts[]): ReadonlyMap<string, Holder> {
  const holders = new Map<string, Holder>();
  for (const { pid, command, descriptors } of processes) {
    for (const { fd, target } of descriptors) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && !holders.has(inode)) holders.set(inode, { pid, command, fd });
    }
  }
  return holders;
}

async function socketTable(
  procRoot: string,
  pid: number,
  family: 'unix' | 'mptcp',
  signal: AbortSignal,
): Promise<string> {
  const namespace = `--net=${procRoot}/${pid}/ns/net`;
  // Inodes come with the ordinary columns of a unix socket, and only among the extended ones of any other.
  const extended = family === 'unix' ? [] : ['--extended'];
  const options = [`--${family}`, '--all', '--numeric', ...extended, '--no-header'];
  const result = await run(['nsenter', namespace, 'ss', ...options], { signal });
  signal.throwIfAborted();
  return result.stdout;
}
