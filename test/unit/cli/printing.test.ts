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
    const ages = [-5, 119_000, 120_000, 7_200_000, 172_800_000].map(formatAge);
    expect(ages).toEqual(['0s', '119s', '2m', '2h', '2d']);
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
