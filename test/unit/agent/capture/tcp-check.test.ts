import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { readProcessFacts } from '../../../../agent/capture/criu/process-facts.ts';
import { findOutsideConnections } from '../../../../agent/capture/criu/sockets.ts';
import { refuseConnections } from '../../../../agent/capture/tcp-check.ts';
import { identify } from '../../../../agent/proc/process-table.ts';

const held = { pid: 7, command: 'web', fd: 5, what: '' };

test('a connection that leads out is refused with who holds it, whom it leads to, and what to do', () => {
  const [blocker] = refuseConnections([{ ...held, local: '10.0.0.1:80', remote: '10.0.0.2:4711' }]);
  expect(blocker?.check).toBe('tcp');
  expect(blocker?.message).toBe(
    'process 7 (web), descriptor 5: TCP 10.0.0.1:80 to 10.0.0.2:4711 is established, and tcp is Refuse; end it, or ask for Established or Close',
  );
});

test.each([
  ['127.0.0.1:80', '127.0.0.1:4711', 0],
  ['[0:0:0:0:0:0:0:1]:80', '[0:0:0:0:0:0:0:1]:4711', 0],
  ['[0:0:0:0:0:ffff:7f00:1]:80', '[0:0:0:0:0:ffff:7f00:1]:4711', 0],
  ['10.0.0.1:80', '10.0.0.1:4711', 2],
])('both ends of %s to %s within the source: %i refused', (one, other, refused) => {
  const both = [
    { ...held, local: one, remote: other },
    { ...held, fd: 6, local: other, remote: one },
  ];
  expect(refuseConnections(both)).toHaveLength(refused);
  expect(refuseConnections(both.slice(0, 1))).toHaveLength(1);
});

test('the connections of a process are found in its network, with their descriptors', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect(port, '127.0.0.1');
  const other = await accepted;
  try {
    const self = await identify('/proc', process.pid);
    if (self === undefined) throw new Error('this process is not in /proc');
    const { processes } = await readProcessFacts('/proc', self, []);
    const { signal } = new AbortController();
    const { tcpConnections } = await findOutsideConnections('/proc', self.pid, processes, signal);
    const ours = tcpConnections.filter(({ local, remote }) =>
      [local, remote].includes(`127.0.0.1:${port}`),
    );
    expect(ours).toHaveLength(2);
    expect(ours.every((one) => one.pid === process.pid && one.fd > 2)).toBe(true);
    expect(refuseConnections(ours)).toEqual([]);
  } finally {
    client.destroy();
    other.destroy();
    server.close();
  }
});
