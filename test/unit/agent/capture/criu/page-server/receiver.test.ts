import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ImageWriter,
  without,
} from '../../../../../../agent/capture/criu/page-server/image-writer.ts';
import {
  pagemapHead,
  pagemapRun,
} from '../../../../../../agent/capture/criu/page-server/pagemap.ts';
import type { Run, Target } from '../../../../../../agent/capture/criu/page-server/protocol.ts';
import { receivePages } from '../../../../../../agent/capture/criu/page-server/receiver.ts';
import {
  closeHeader,
  commands,
  header,
  openHeader,
  runHeader,
  targetNumber,
} from '../../../../../support/page-server-peer.ts';

const one: Target = { kind: 'process', id: 7n };
const shared: Target = { kind: 'sharedMemory', id: 65n };
const run = (address: bigint, pages: number, flags = 4): Run => ({ address, pages, flags });
const filled = (pages: number, fill: number): Uint8Array => new Uint8Array(pages * 4096).fill(fill);

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'page-server-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const image = (name: string): Buffer => readFileSync(join(directory, name));

/** Both ends of a connection, ours being received from; what it answers. */
function connect() {
  const [ours, theirs] = duplexPair();
  const answers: Buffer[] = [];
  theirs.on('data', (chunk: Buffer) => answers.push(chunk));
  theirs.on('error', () => undefined);
  let pauses = 0;
  ours.on('pause', () => {
    pauses += 1;
  });
  const receiver = receivePages(ours, directory);
  return { receiver, peer: theirs, answers, pauses: () => pauses };
}

const send = (peer: Duplex, ...pieces: readonly Uint8Array[]): void => {
  for (const piece of pieces) peer.write(piece);
};

describe('the receiver of a dump', () => {
  test('writes the images that CRIU would have written, and answers only then', async () => {
    const { receiver, peer, answers } = connect();
    send(peer, openHeader(32, one), runHeader(32, one, run(0x1000n, 2)), filled(2, 1));
    send(peer, runHeader(32, one, run(0x9000n, 3, 1)), runHeader(32, one, run(0xf000n, 1)));
    send(peer, filled(1, 2), openHeader(32, shared), runHeader(32, shared, run(0n, 1)));
    send(peer, filled(1, 3), closeHeader(32));
    await receiver.complete;
    await vi.waitFor(() => expect(Buffer.concat(answers).toString('hex')).toBe('000000000000'));
    expect(readdirSync(directory).sort()).toEqual([
      'pagemap-7.img',
      'pagemap-shmem-65.img',
      'pages-1.img',
      'pages-2.img',
    ]);
    expect(image('pages-1.img')).toEqual(Buffer.concat([filled(2, 1), filled(1, 2)]));
    expect(image('pages-2.img')).toEqual(Buffer.from(filled(1, 3)));
    expect(image('pagemap-7.img')).toEqual(
      Buffer.concat([
        pagemapHead(1),
        pagemapRun(run(0x1000n, 2), 32),
        pagemapRun(run(0x9000n, 3, 1), 32),
        pagemapRun(run(0xf000n, 1), 32),
      ]),
    );
  });

  test('a target without pages has both images, as with CRIU', async () => {
    const { receiver, peer } = connect();
    send(peer, openHeader(24, one), closeHeader(24));
    await receiver.complete;
    expect(image('pages-1.img').length).toBe(0);
    expect(image('pagemap-7.img')).toEqual(Buffer.from(pagemapHead(1)));
  });

  test('thousands of runs are all noted, in order', async () => {
    const { receiver, peer } = connect();
    const runs = Array.from({ length: 10_000 }, (_, index) => run(BigInt(index) * 8192n, 1, 1));
    send(peer, openHeader(32, one), ...runs.map((each) => runHeader(32, one, each)));
    send(peer, closeHeader(32));
    await receiver.complete;
    expect(image('pagemap-7.img')).toEqual(
      Buffer.concat([pagemapHead(1), ...runs.map((each) => pagemapRun(each, 32))]),
    );
  });

  test('no image is a parent of another', async () => {
    const { receiver, peer, answers } = connect();
    send(peer, header(32, { command: commands.parent, target: targetNumber(one) }));
    await vi.waitFor(() => expect(Buffer.concat(answers).toString('hex')).toBe('00000000'));
    receiver.close();
    await expect(receiver.complete).rejects.toThrow(/before the dump/);
  });

  test('a peer that sends faster than can be written has to wait', async () => {
    const { receiver, peer, pauses } = connect();
    const pages = 16 * 1024;
    const piece = new Uint8Array(32 * 1024 * 1024);
    send(peer, openHeader(32, one), runHeader(32, one, run(0n, pages)));
    send(peer, piece, piece);
    send(peer, closeHeader(32));
    await receiver.complete;
    expect(pauses()).toBeGreaterThan(0);
    expect(image('pages-1.img').length).toBe(pages * 4096);
  });

  test('a close from our side ends the connection, and is not called trouble', async () => {
    const { receiver, peer } = connect();
    send(peer, openHeader(32, one), runHeader(32, one, run(0n, 2)), filled(1, 1));
    const closed = new Promise((resolve) => peer.once('close', resolve));
    receiver.close();
    receiver.close();
    await expect(receiver.complete).rejects.toMatchObject({ reason: 'CheckpointFailed' });
    peer.destroy();
    await closed;
    expect(receiver.trouble()).toBeUndefined();
  });

  test('a peer that breaks the protocol is hung up on, with the reason', async () => {
    const { receiver, peer } = connect();
    send(peer, header(32, { command: commands.get, target: targetNumber(one) }));
    await expect(receiver.complete).rejects.toThrow(/GET/);
    expect(receiver.trouble()?.message).toMatch(/lazy pages/);
  });

  test('an image that is there already is never written over', async () => {
    writeFileSync(join(directory, 'pages-1.img'), 'precious');
    const { receiver, peer } = connect();
    send(peer, openHeader(32, one), runHeader(32, one, run(0n, 1)), filled(1, 1));
    await expect(receiver.complete).rejects.toThrow(/EEXIST/);
    expect(receiver.trouble()?.kind).toBe('retry');
    expect(image('pages-1.img').toString()).toBe('precious');
  });
});

describe('the writer of images', () => {
  test('counts what it has taken and not yet written, and says when that changes', async () => {
    let least = Number.POSITIVE_INFINITY;
    const writer = new ImageWriter(directory, () => {
      least = Math.min(least, writer.pendingBytes);
    });
    writer.begin(one);
    writer.pages(filled(4, 1));
    expect(writer.pendingBytes).toBeGreaterThanOrEqual(4 * 4096);
    await writer.finish();
    expect(writer.pendingBytes).toBe(0);
    expect(least).toBe(0);
  });

  test.each([
    [0, ['abc', 'de']],
    [2, ['c', 'de']],
    [3, ['de']],
    [4, ['e']],
    [5, []],
  ])('what a short write of %i bytes left is offered again', (bytes, left) => {
    const buffers = ['abc', 'de'].map((text) => Buffer.from(text));
    expect(without(buffers, bytes).map((buffer) => buffer.toString())).toEqual(left);
  });
});
