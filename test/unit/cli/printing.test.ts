import { describe, expect, it } from 'vitest';
import { closeNames } from '../../../cli/close-names.ts';
import { remedyOf } from '../../../cli/complaint.ts';
import { formatAge, parseDuration } from '../../../cli/duration.ts';
import { printable, table } from '../../../cli/table.ts';
import { Failure } from '../../../core/failure.ts';

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

describe('names that may have been meant', () => {
  it.each([
    ['wbe', ['web', 'db', 'worker'], ['web']],
    ['web', ['web-x2k4p', 'my-web', 'other'], ['my-web', 'web-x2k4p']],
    ['postgers', ['postgres', 'postgres-2', 'redis'], ['postgres']],
    ['a', ['b', 'c'], []],
    ['x', [], []],
  ])('for %s of %j are %j', (name, names, expected) => {
    expect(closeNames(name, names)).toEqual(expected);
  });
});

describe('what to do about an error', () => {
  const forbidden = (message: string) => remedyOf(new Failure('terminal', 'Forbidden', message));

  it('names the missing right, as RBAC and as the admission policies say it', () => {
    expect(
      forbidden(
        'podsnapshots.nvidia.com is forbidden: User "eve" cannot create resource "podsnapshots" in API group "nvidia.com" in the namespace "team"',
      ),
    ).toContain('to create podsnapshots.nvidia.com in namespace team: kubectl auth can-i');
    expect(
      forbidden(
        'nodes is forbidden: User "eve" cannot list resource "nodes" in API group "" at the cluster scope',
      ),
    ).toContain('to list nodes in the whole cluster: kubectl auth can-i list nodes.');
    expect(
      forbidden(
        'a snapshot is the memory of a pod: to create one, eve needs the right to create pods/exec in namespace team',
      ),
    ).toContain('kubectl auth can-i create pods/exec -n team.');
    expect(forbidden('because')).toBeUndefined();
  });
});
