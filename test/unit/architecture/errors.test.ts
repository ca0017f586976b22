import { describe, expect, it } from 'vitest';
import { checkNames } from '../../../agent/capture/preflight.ts';
import { gateNames } from '../../../agent/restore/gates/gates.ts';
import { failureReasons, progressReasons, stateReasons } from '../../../core/api/reasons.ts';
import { readText } from './sources.ts';

/** Rows of the table under a heading of docs/errors.md, cell by cell, the reason without its backticks. */
function rows(heading: string): readonly (readonly string[])[] {
  const section = readText('docs/errors.md')
    .split(/^## /m)
    .find((part) => part.startsWith(heading));
  return (section ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map(([reason = '', ...rest]) => [reason.replaceAll('`', '').trim(), ...rest]);
}

describe('docs/errors.md', () => {
  it.each([
    ['Failures', failureReasons],
    ['Progress', progressReasons],
    ['States', stateReasons],
  ])('explains under %s every reason there is, once, and no other', (heading, reasons) => {
    const explained = rows(heading).map(([reason]) => reason);
    expect(explained.toSorted()).toEqual([...reasons].toSorted());
  });

  it('explains under Blockers every check of preflight, once, and no other', () => {
    const explained = rows('Blockers').map(([check]) => check);
    expect(explained.toSorted()).toEqual([...checkNames, 'livenessProbe', 'tcp'].toSorted());
  });

  it('explains under Gates everything that refuses a restore, once, and no other', () => {
    const explained = rows('Gates').map(([gate]) => gate);
    expect(explained.toSorted()).toEqual([...gateNames].toSorted());
  });

  it('says of each what happened, how the source is, and what to do', () => {
    const all = [...rows('Failures'), ...rows('Progress'), ...rows('States')];
    const thin = all.filter((row) => row.length !== 4 || row.some((cell) => cell.trim() === ''));
    expect(thin).toEqual([]);
  });
});

describe('reasons', () => {
  it('are words that the API server takes, each of one sort only', () => {
    const all = [...failureReasons, ...progressReasons, ...stateReasons];
    for (const reason of all) expect(reason).toMatch(/^[A-Z][A-Za-z]{1,126}$/);
    expect(new Set(all).size).toBe(all.length);
  });
});
