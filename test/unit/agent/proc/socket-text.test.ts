import { expect, test } from 'vitest';
import { parseMultipathInodes, parseUnixSockets } from '../../../../agent/proc/socket-text.ts';

/** Recorded with iproute2 6.1 on Linux 6.18; the name with spaces is one that a workload may choose. */
const unix = `u_str ESTAB  0      0                  * 77807 * 77768
u_str LISTEN 0      128    /tmp/x 1 * y.sock 77767 * 0
u_dgr ESTAB  0      0       /tmp/dg.sock 77810 * 0
u_str ESTAB  0      0    /tmp/x 1 * y.sock 77768 * 77807
u_dgr ESTAB  0      0                  * 77811 * 77810
u_seq ESTAB  0      0      @abstract 7 * 8
`;

test('unix sockets are read with their peers, whatever their names', () => {
  const name = '/tmp/x 1 * y.sock';
  expect(parseUnixSockets(unix)).toEqual([
    { inode: '77807', peer: '77768', type: 'stream', name: '*' },
    { inode: '77767', peer: '0', type: 'stream', name },
    { inode: '77810', peer: '0', type: 'datagram', name: '/tmp/dg.sock' },
    { inode: '77768', peer: '77807', type: 'stream', name },
    { inode: '77811', peer: '77810', type: 'datagram', name: '*' },
    { inode: '7', peer: '8', type: 'packets', name: '@abstract' },
  ]);
});

/** Recorded in the same way. */
const multipath = `ESTAB  0      0      127.0.0.1:51791 127.0.0.1:33446 ino:77816 sk:7e cgroup:/ <->
LISTEN 0      128    127.0.0.1:51791   0.0.0.0:*     ino:77812 sk:1064 cgroup:/ <->
`;

test('MPTCP sockets are known by their inodes', () => {
  expect([...parseMultipathInodes(multipath)]).toEqual(['77816', '77812']);
});

test('a program that said nothing, or something else, found nothing', () => {
  for (const text of ['', 'Error: something\n']) {
    expect(parseUnixSockets(text)).toEqual([]);
    expect(parseMultipathInodes(text).size).toBe(0);
  }
});
