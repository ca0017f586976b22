import { expect, test } from 'vitest';
import {
  countMultipathSockets,
  parseAddress,
  parseConnections,
  parseListeners,
} from '../../../../agent/proc/net-text.ts';

test.each([
  ['0100007F:1F90', '127.0.0.1:8080'],
  ['00000000:0050', '0.0.0.0:80'],
  ['00000000000000000000000000000000:C0A9', '[::]:49321'],
  ['0000000000000000FFFF00000100007F:0050', '[0:0:0:0:0:ffff:7f00:1]:80'],
])('the address %s reads %s', (text, expected) => {
  expect(parseAddress(text)).toBe(expected);
});

test('listening sockets and established connections are told apart', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:EE29 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 170947 2 000000007318a9e6 100 0 0 10 0',
    '   1: 0100007F:E214 0100007F:8023 01 00000000:00000000 02:00000BA9 00000000     0        0 159437 3 000000003eb8047c 20 4 31 16 -1',
  ].join('\n');
  expect(parseListeners(table)).toEqual([
    { address: '127.0.0.1:60969', inode: '170947', references: 2 },
  ]);
  expect(parseConnections(table)).toEqual([
    { local: '127.0.0.1:57876', remote: '127.0.0.1:32803', inode: '159437' },
  ]);
});

test('MPTCP sockets of both families are counted, and none where the kernel knows none', () => {
  const protocols =
    'protocol  size sockets  memory\nMPTCPv6   2064      1       0   no\nTCP       2304      9       0   no\nMPTCP     1936      2       0   no\n';
  expect(countMultipathSockets(protocols)).toBe(3);
  expect(countMultipathSockets('TCP 2304 9 0 no\n')).toBe(0);
});
