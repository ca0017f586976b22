import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [512 * 2 ** 20, '512 MiB'],
    [2 ** 30, '1.0 GiB'],
    [2 ** 20 - 1, '1.0 MiB'],
    [2 ** 30 - 1, '1.0 GiB'],
    [5000 * 2 ** 40, '5000 TiB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('never shows a number that the next unit would show shorter', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        const [number = '', unit] = formatBytes(bytes).split(' ');
        expect(unit === 'TiB' || Number(number) < 1024).toBe(true);
      }),
    ));
});

describe('formatMilliseconds', () => {
  it.each([
    [0, '0 ms'],
    [830.4, '830 ms'],
    [999.6, '1.0 s'],
    [1000, '1.0 s'],
    [59_960, '1 min 0 s'],
    [65_000, '1 min 5 s'],
    [119_700, '2 min 0 s'],
    [3_600_000, '60 min 0 s'],
  ])('writes %d milliseconds as %s', (milliseconds, text) => {
    expect(formatMilliseconds(milliseconds)).toBe(text);
  });
});
