import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
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

const isRoot = process.getuid?.() === 0;

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

/** Opens once, notes an intent and ends as a killed process does: without closing, so that the log still holds everything. */
const leaveBehind = (path: string): void => {
  const program = `
    const { openSqliteJournal } = await import('${join(import.meta.dirname, '../../../../agent/journal/sqlite.ts')}');
    openSqliteJournal(${JSON.stringify(path)}, () => process.exit(9)).begin(${JSON.stringify(sampleIntent)});
    process.kill(process.pid, 'SIGKILL');`;
  const words = ['--input-type=module', '--eval', program];
  expect(spawnSync(process.execPath, words).signal).toBe('SIGKILL');
};
const overwrite = (path: string, at: number, bytes: Uint8Array): void => {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.byteLength, at);
  closeSync(file);
};
const garbage = randomBytes(8192);

/** Damage that a file is found with; each is done to a journal that holds an intent. */
const damages: readonly (readonly [string, (path: string) => void])[] = [
  ['is no database', (path) => writeFileSync(path, 'this is no database '.repeat(500))],
  ['begins with garbage', (path) => overwrite(path, 0, garbage.subarray(0, 100))],
  ['has garbage in its middle', (path) => overwrite(path, 4096, garbage)],
  ['was cut in its first page', (path) => truncateSync(path, 700)],
  ['was cut in its middle', (path) => truncateSync(path, 5000)],
  ['says it is of a format that can only be read', (path) => overwrite(path, 18, Buffer.from([9]))],
  ['has other tables', (path) => withDatabase(path, 'DROP TABLE intent; CREATE TABLE other (a)')],
  [
    'has a table with other columns',
    (path) => withDatabase(path, 'ALTER TABLE intent RENAME COLUMN fence TO hedge'),
  ],
  ['has lost a table', (path) => withDatabase(path, 'DROP TABLE holder')],
  [
    'has a row that no agent wrote',
    (path) => withDatabase(path, "UPDATE intent SET step = 'flying'"),
  ],
];
const withDatabase = (path: string, statement: string): void => {
  const database = new DatabaseSync(path);
  database.exec(statement);
  database.close();
};

describe('a damaged SQLite file', () => {
  it.each(damages)('that %s is set aside under the date, told of, and replaced', (_, damage) => {
    const path = freshPath();
    const first = openSqliteJournal(path, refuseWarning);
    first.begin(sampleIntent);
    first.close();
    damage(path);
    expectSetAside(path);
  });

  it('that has lost its log behind a crash is set aside too, and not taken for complete', () => {
    const path = freshPath();
    leaveBehind(path);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(1000);
    overwrite(`${path}-wal`, 0, garbage.subarray(0, 64));
    expectSetAside(path);
  });

  it('is none when a crash only cut the end of the log: what was durable is there', () => {
    const path = freshPath();
    leaveBehind(path);
    writeFileSync(`${path}-wal`, garbage.subarray(0, 600), { flag: 'a' });
    const journal = openSqliteJournal(path, refuseWarning);
    expect(journal.open()).toEqual([sampleIntent]);
    journal.close();
  });

  it.runIf(isRoot)('that cannot be moved away is waited for in words', () => {
    const path = freshPath();
    openSqliteJournal(path, refuseWarning).close();
    const directory = join(path, '..');
    execFileSync('mount', ['--bind', directory, directory]);
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', directory]);
      expect(failureOf(() => openSqliteJournal(path, refuseWarning))).toMatchObject({
        kind: 'retry',
        reason: 'JournalUnusable',
        message: expect.stringContaining(path),
      });
    } finally {
      execFileSync('umount', [directory]);
    }
    openSqliteJournal(path, refuseWarning).close();
  });

  it.runIf(isRoot)('is not what a full disk makes of it', () => {
    const directory = join(freshPath(), '..');
    mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]);
    try {
      const path = join(directory, 'journal.db');
      openSqliteJournal(path, refuseWarning).close();
      try {
        writeFileSync(join(directory, 'filler'), Buffer.alloc(65536));
      } catch {
        // Full is what it is to be.
      }
      expect(failureOf(() => openSqliteJournal(path, refuseWarning))).toMatchObject({
        kind: 'retry',
        reason: 'JournalUnusable',
      });
      rmSync(join(directory, 'filler'));
      openSqliteJournal(path, refuseWarning).close();
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});

function expectSetAside(path: string): void {
  const told: string[] = [];
  const journal = openSqliteJournal(path, (why, aside) => told.push(why, aside));
  expect(journal.open()).toEqual([]);
  expect(told[0]).toMatch(/./);
  expect(told[1]).toMatch(/journal\.db\.damaged-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/);
  expect(existsSync(told[1] ?? '')).toBe(true);
  journal.begin({ ...sampleIntent, attempt: 7 });
  journal.close();
  const again = openSqliteJournal(path, refuseWarning);
  expect(again.open()).toEqual([{ ...sampleIntent, attempt: 7 }]);
  again.close();
}

function failureOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('the SQLite file', () => {
  it('of every older version is brought forward with what it holds', () => {
    // The columns that every version has had, and the one that has gone.
    const always =
      'contentUID, contentName, namespace, snapshotName, podUID, podName, attempt, step, stagingDirectory, fence, facts';
    const values = `'uid-1', 'content', 'default', 'snap', 'pod-uid', 'pod', 2, 'dumped', '/s', 1, '{}'`;
    const row = `INSERT INTO intent (${always}, container) VALUES (${values}, 'main')`;
    for (let version = 0; version < migrations.length; version += 1) {
      const path = freshPath();
      mkdirSync(join(path, '..'), { recursive: true });
      const older = migrations.slice(0, version).join(';\n');
      withDatabase(path, `${older}; ${version > 0 ? row : ''}; PRAGMA user_version = ${version}`);
      const journal = openSqliteJournal(path, refuseWarning);
      expect(journal.open().map((intent) => [intent.contentUID, intent.attempt])).toEqual(
        version > 0 ? [['uid-1', 2]] : [],
      );
      expect(journal.succeed('agent-1').size).toBe(0);
      journal.close();
    }
  });

  it('of a newer agent is refused in words and left as it is', () => {
    const path = freshPath();
    openSqliteJournal(path, refuseWarning).close();
    withDatabase(path, `PRAGMA user_version = ${migrations.length + 1}`);
    expect(failureOf(() => openSqliteJournal(path, refuseWarning))).toMatchObject({
      kind: 'terminal',
      reason: 'JournalTooNew',
      message: expect.stringMatching(/version \d+, this agent knows \d+: run the newer agent/),
    });
    expect(readdirSync(join(path, '..'))).toEqual(['journal.db']);
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
