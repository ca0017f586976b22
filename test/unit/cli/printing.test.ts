import { describe, expect, it } from 'vitest';
import { formatAge, parseDuration } from '../../../cli/duration.ts';
import { printable, table } from '../../../cli/table.ts';

describe('a duration', () => {
  it('is read in seconds, minutes, hours and days, and in nothing else', () => {
    expect(['0s', '90m', '24h', '7d', '1h30m'].map(parseDuration)).toEqual([
      0, 5_400_000, 86_400_000, 604_800_000, 5_400_000,
    ]);
    for (const odd of ['', '5', 'h', '-1h', '1.5h', '1w', '1h ']) {
      expect(parseDuration(odd), odd).toBeUndefined();
    }
  });

  it('is shown as kubectl shows ages', () => {
    const seconds = [-5, 119, 120, 330, 7200, 12_600, 86_400, 180_000, 864_000, 70_000_000];
    const ages = seconds.map((one) => formatAge(one * 1000));
    expect(ages).toEqual([
      ...['0s', '119s', '2m', '5m30s', '120m', '3h30m', '24h', '2d2h', '10d', '2y80d'],
    ]);
  });
});

describe('a table', () => {
  it('has its columns under each other', () => {
    expect(
      table(
        ['A', 'LONG'],
        [
          ['abc', 'x'],
          ['d', ''],
        ],
      ),
    ).toBe('A     LONG\nabc   x\nd\n');
  });

  it('lets no name from an artifact command the terminal', () => {
    expect(printable('a\u001b[2Jb\u009b31mc\r\n')).toBe('a?[2Jb?31mc??');
  });
});
