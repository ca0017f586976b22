import { describe, expect, it } from 'vitest';
import { hasFiles } from '../../../../agent/order/staging.ts';

const noted = [
  { path: 'criu/pages-1.img', sizeBytes: 4096 },
  { path: 'rootfs.tar', sizeBytes: 10_240 },
];

describe('staging after a restart', () => {
  it('is whole when every noted file has its size', () => {
    expect(hasFiles(noted, noted)).toBe(true);
  });

  it('is whole with the working files of a publish that was cut short beside it', () => {
    expect(hasFiles(noted, [...noted, { path: 'publish/blobs', sizeBytes: 71 }])).toBe(true);
  });

  it.each([
    ['a file is missing', noted.slice(1)],
    ['a file is shorter', [{ path: 'criu/pages-1.img', sizeBytes: 5 }, ...noted.slice(1)]],
  ])('is not whole when %s', (_how, found) => {
    expect(hasFiles(noted, found)).toBe(false);
  });

  it('is not whole when nothing was noted', () => {
    expect(hasFiles(undefined, noted)).toBe(false);
  });
});
