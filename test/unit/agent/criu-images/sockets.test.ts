import { isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Message } from '../../../../agent/criu-images/message.ts';
import { inetSocket, unixSocket } from '../../../../agent/criu-images/sockets.ts';
import { message, type Value } from './image-of.ts';

const words = (bytes: readonly number[]): readonly number[] => {
  const buffer = Buffer.from(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, index) => buffer.readUInt32LE(4 * index));
};
const inet = (change: Readonly<Record<number, Value>>) =>
  inetSocket(
    'files.img',
    new Message(
      message({
        ...{ 1: 1, 2: 1, 3: 10, 4: 1, 5: 6, 6: 1, 7: 80, 8: 4000, 9: 2, 10: 0 },
        ...{ 11: words(Array(16).fill(0)), 12: words(Array(16).fill(0)), ...change },
      }),
      'files.img',
    ),
  );

/** The groups of an address, `::` filled up again. */
function groupsOf(address: string): readonly number[] {
  const [before = '', after = ''] = address.split('::');
  const numbers = (text: string): readonly number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [head, tail] = [numbers(before), numbers(after)];
  return [...head, ...Array(8 - head.length - tail.length).fill(0), ...tail];
}

describe('a socket of an image', () => {
  it('over IPv6 has its addresses as people write them', () => {
    const loopback = [...Array(15).fill(0), 1];
    const documentation = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x1f];
    expect(inet({ 11: words(loopback), 12: words(documentation) })).toEqual({
      ...{ kind: 'inet', protocol: 'tcp6', state: 'established' },
      local: { address: '::1', port: 80 },
      remote: { address: '2001:db8::1:0:0:1f', port: 4000 },
    });
    expect(inet({})?.local.address).toBe('::');
  });

  it('over IPv6 has an address that is read back as the same, whatever its bytes', async () => {
    const byte = fc.oneof(fc.constant(0), fc.nat(255));
    const property = fc.property(fc.array(byte, { minLength: 16, maxLength: 16 }), (bytes) => {
      const { address = '' } = inet({ 11: words(bytes) })?.local ?? {};
      const expected = Array.from({ length: 8 }, (_, index) =>
        Buffer.from(bytes).readUInt16BE(2 * index),
      );
      return isIPv6(address) && groupsOf(address).join() === expected.join();
    });
    await fc.assert(property);
  });

  it('of an unknown family, or with an address of another length, is refused', () => {
    expect(() => inet({ 3: 40 })).toThrow('unknown family 40');
    expect(() => inet({ 11: [1] })).toThrow('address of a socket is malformed');
    expect(() => inet({ 3: 2, 11: [2 ** 32], 12: [0] })).toThrow('malformed');
  });

  it('of the unix family has its path, the directory before a relative one, or its abstract name', () => {
    const unix = (name: string | Buffer, change: Readonly<Record<number, Value>> = {}) =>
      unixSocket(
        new Message(message({ 2: 5, 3: 2, 4: 7, 8: 6, 11: name, ...change }), 'files.img'),
      );
    expect(unix('/run/app.sock\0')).toEqual({
      ...{ kind: 'unix', type: 'datagram', state: 'closed', name: '/run/app.sock' },
      ...{ inode: 5, peerInode: 6 },
    });
    expect(unix('app.sock', { 14: '/run' })?.name).toBe('/run/app.sock');
    expect(unix('\0one\0two')?.name).toBe('@one\0two');
    expect(unix(Buffer.alloc(0))?.name).toBe('');
  });
});
