import { expect, test } from 'vitest';
import {
  pagemapHead,
  pagemapName,
  pagemapRun,
  pagesName,
} from '../../../../../../agent/capture/criu/page-server/pagemap.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the head of a pagemap is as CRIU 4.2.1 writes it', () => {
  expect(hex(pagemapHead(1))).toBe('1943565425400856020000000801');
});

// Both taken from an image that CRIU 4.2.1 wrote for a Python process.
test.each([
  [{ address: 0x5652_406c_5000n, pages: 1, flags: 4 }, '0e0000000880a0b183a4ca15100020042801'],
  [{ address: 0x56525c84f000n, pages: 256, flags: 6 }, '0f0000000880e093e4a5ca1510002006288002'],
])('a run is noted as CRIU 4.2.1 notes it (%#)', (run, expected) => {
  expect(hex(pagemapRun(run, 32))).toBe(expected);
});

test('before 4.2 the number of pages stands in the second field', () => {
  const run = { address: 0x1000n, pages: 300, flags: 4 };
  expect(hex(pagemapRun(run, 24))).toBe('0800000008802010ac022004');
  expect(hex(pagemapRun(run, 32))).toBe('0a0000000880201000200428ac02');
});

test('images are named as CRIU names them', () => {
  expect(pagemapName({ kind: 'process', id: 7n })).toBe('pagemap-7.img');
  expect(pagemapName({ kind: 'sharedMemory', id: 65n })).toBe('pagemap-shmem-65.img');
  expect(pagesName(3)).toBe('pages-3.img');
});
