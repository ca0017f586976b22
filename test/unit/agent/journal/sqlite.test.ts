import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { migrations } from '../../../../agent/journal/schema.ts';
import { openSqliteJournal } from '../../../../agent/journal/sqlite.ts';
import { Failure } from '../../../../core/failure.ts';
import { journalContract, sampleIntent } from '../../../contract/journal.contract.ts';
import { memoryJournal } from '../../../support/memory-journal.ts';

const directory = mkdtempSync(join(tmpdir(), 'cryopod-journal-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
const freshPath = (): string => {
  files += 1;
  return join(directory, `case-${files}`, 'journal.db');
};
const refuseWarning = (message: string): void => {
  throw new Error(`unexpected warning: ${message}`);
};

journalContract('SQLite journal', () => {
  const path = freshPath();
  return {
    open: () => openSqliteJournal(path, refuseWarning),
    reopen: (old) => {
      old.close();
      return openSqliteJournal(path, refuseWarning);
    },
  };
});

journalContract('journal in memory', () => {
  const rows = new Map();
  const holders = new Set<string>();
  return {
    open: () => memoryJournal(rows, holders),
    reopen: () => memoryJournal(rows, holders),
  };
});

describe('the SQLite file', () => {
  it('sets a damaged file aside with a warning and starts afresh', () => {
    const path = freshPath();
    openSqliteJournal(path, refuseWarning).close();
    writeFileSync(path, 'this is no database '.repeat(500));
    const warnings: string[] = [];
    const journal = openSqliteJournal(path, (message, file) => warnings.push(message, file));
    expect(journal.open()).toEqual([]);
    journal.begin(sampleIntent);
    journal.close();
    expect(warnings[0]).toMatch(/damaged/);
    expect(readdirSync(join(path, '..')).some((name) => name.includes('.damaged-'))).toBe(true);
    const again = openSqliteJournal(path, refuseWarning);
    expect(again.open()).toEqual([sampleIntent]);
    again.close();
  });

  it('of an agent that captured one container is brought forward, with the processes it knew', () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    const old = new DatabaseSync(path);
    for (const statement of migrations.slice(0, 2)) old.exec(statement);
    old.exec('PRAGMA user_version = 2');
    const row = `'c', 'n', 's', 'p', 'pod', 'main', 1, 'dumping', '/staging', %, 3, '{}'`;
    for (const [uid, pids] of [
      ['uid-1', '9, 8, 4711, 99'],
      ['uid-2', 'NULL, NULL, 4712, 98'],
      ['uid-3', 'NULL, NULL, NULL, NULL'],
    ] as const) {
      old.exec(`INSERT INTO intent VALUES ('${uid}', ${row.replace('%', pids)})`);
    }
    old.close();
    const journal = openSqliteJournal(path, refuseWarning);
    expect(journal.open().map(({ processes }) => processes)).toEqual([
      [
        {
          container: 'main',
          source: { pid: 4711, startTicks: 99 },
          criu: { pid: 9, startTicks: 8 },
        },
      ],
      [{ container: 'main', source: { pid: 4712, startTicks: 98 }, criu: undefined }],
      [],
    ]);
    journal.close();
  });

  it('is open in one agent at a time, and the second is told to wait', () => {
    const path = freshPath();
    const first = openSqliteJournal(path, refuseWarning);
    const second = (): unknown => openSqliteJournal(path, refuseWarning);
    expect(second).toThrow(Failure);
    expect(second).toThrow(/another agent/);
    first.close();
    openSqliteJournal(path, refuseWarning).close();
  });
});
