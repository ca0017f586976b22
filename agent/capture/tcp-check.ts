import type { Blocker } from './backend.ts';
import type { TcpConnection } from './facts.ts';

/** 127.0.0.0/8, ::1, and the former as the latter's sockets show it. */
const loopback = /^(127\.|\[(0:){7}1\]|\[(0:){5}ffff:7f..:)/;

/**
 * The connections that `tcp: Refuse` refuses: every one that leads out of the source. One between two of its own processes over loopback is
 * saved at both ends, so a restore can have it whole; over the pod's address it could not, since the copy has another. Pure.
 */
export function refuseConnections(connections: readonly TcpConnection[]): readonly Blocker[] {
  const ends = new Set(connections.map(({ local, remote }) => `${local} ${remote}`));
  return connections
    .filter(
      ({ local, remote }) =>
        !(loopback.test(local) && loopback.test(remote) && ends.has(`${remote} ${local}`)),
    )
    .map(({ pid, command, fd, local, remote }) => ({
      check: 'tcp',
      message: `process ${pid} (${command}), descriptor ${fd}: TCP ${local} to ${remote} is established, and tcp is Refuse; end it, or ask for Established or Close`,
    }));
}
