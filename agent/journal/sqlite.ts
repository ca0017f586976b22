import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { errorText, Failure } from '../../core/failure.ts';
import type { Intent, Journal } from './journal.ts';
import { intentOfRow, rowOfIntent } from './row.ts';
import { migrations } from './schema.ts';

/** First word of a write-ahead log, but for its last bit (the byte order of its checksums). */
const logMagic = 0x377f0682;

/** How long to wait for the lock of another agent before saying so, milliseconds. */
const busyMilliseconds = 200;

const columns = [
  'contentUID',
  'contentName',
  'namespace',
  'snapshotName',
  'podUID',
  'podName',
  'attempt',
  'step',
  'stagingDirectory',
  'processes',
  'fence',
  'facts',
] as const;

/** A lease outlives its holder by half a minute: nobody asks for more predecessors than can have died in that time. */
const forgetHolders = `DELETE FROM holder WHERE rowid NOT IN (SELECT rowid FROM holder ORDER BY rowid DESC LIMIT 100)`;

const codeOf = (error: unknown): string =>
  error instanceof Database.SqliteError ? error.code : '';

const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));

/** Trouble of the machine and not of the file: setting the file aside would lose intents and mend nothing. */
const isTrouble = (error: unknown): boolean =>
  /^SQLITE_(FULL|IOERR|NOMEM|PERM|CANTOPEN(?!_ISDIR))/.test(codeOf(error));

/**
 * Opens the file, or creates it, for this process alone: the lock lasts as long as the journal is open, so a second agent on the
 * node cannot settle, and undo, what the first is in the middle of.
 */
function openFile(path: string): SqliteJournal {
  const logIsOne = isLog(`${path}-wal`);
  const database = new Database(path, { timeout: busyMilliseconds });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    // Intents announce effects: one that a power cut can take back announces nothing.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database);
    if (!logIsOne) throw new Error('its write-ahead log did not begin as one');
    const found = database.pragma('integrity_check(1)', { simple: true });
    if (found !== 'ok') throw new Error(String(found));
    const journal = new SqliteJournal(database);
    journal.open();
    journal.predecessors();
    return journal;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite takes a write-ahead log without its magic number for an empty one, and silently forgets what was in it. */
function isLog(path: string): boolean {
  const start = Buffer.alloc(4);
  try {
    const file = openSync(path, 'r');
    try {
      if (readSync(file, start, 0, start.byteLength, 0) < start.byteLength) return true;
    } finally {
      closeSync(file);
    }
  } catch {
    // Most often there is none: whoever ended in good order left none. What else is the matter SQLite says better.
    return true;
  }
  return (start.readUInt32BE() & 0xfffffffe) >>> 0 === logMagic;
}

function migrate(database: Database.Database): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  if (version > migrations.length) {
    throw new Failure(
      'terminal',
      'JournalTooNew',
      `the journal has version ${version}, this agent knows ${migrations.length}: run the newer agent, or remove the file when no capture is open`,
    );
  }
  migrations.slice(version).forEach((statement, index) => {
    database.transaction(() => {
      database.exec(statement);
      database.pragma(`user_version = ${version + index + 1}`);
    })();
  });
  // A write that changes nothing: a file that can only be read, or a full disk, says so now and not in the middle of a capture.
  database.pragma(`user_version = ${migrations.length}`);
}

function setAside(path: string, wallMilliseconds: number): string {
  const date = new Date(wallMilliseconds).toISOString().replaceAll(':', '-');
  const aside = `${path}.damaged-${date}`;
  // The log first: beside a fresh file an old one would be taken for its own.
  for (const suffix of ['-wal', '-shm', '']) {
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`);
  }
  return aside;
}

class SqliteJournal implements Journal {
  readonly #database: Database.Database;
  readonly #put: Database.Statement;
  readonly #one: Database.Statement;
  readonly #all: Database.Statement;
  readonly #remove: Database.Statement;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO intent (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
    );
    this.#one = database.prepare('SELECT * FROM intent WHERE contentUID = ?');
    this.#all = database.prepare('SELECT * FROM intent ORDER BY rowid');
    this.#remove = database.prepare('DELETE FROM intent WHERE contentUID = ?');
  }

  begin(intent: Intent): void {
    this.#put.run(rowOfIntent(intent));
  }

  update(contentUID: string, change: Partial<Omit<Intent, 'contentUID'>>): void {
    this.#database.transaction(() => {
      const intent = this.find(contentUID);
      if (intent === undefined) {
        throw new Failure('terminal', 'NoIntent', `the journal has no open intent ${contentUID}`);
      }
      this.#put.run(rowOfIntent({ ...intent, ...change, contentUID }));
    })();
  }

  find(contentUID: string): Intent | undefined {
    const raw = this.#one.get(contentUID);
    return raw === undefined ? undefined : intentOfRow(raw);
  }

  open(): readonly Intent[] {
    return this.#all.all().map(intentOfRow);
  }

  finish(contentUID: string): void {
    this.#remove.run(contentUID);
  }

  succeed(holder: string): ReadonlySet<string> {
    return this.#database.transaction(() => {
      const before = this.predecessors();
      this.#database.prepare('INSERT OR IGNORE INTO holder (identity) VALUES (?)').run(holder);
      this.#database.prepare(forgetHolders).run();
      return new Set(before.filter((identity) => identity !== holder));
    })();
  }

  predecessors(): readonly string[] {
    return this.#database.prepare('SELECT identity FROM holder').pluck().all().map(String);
  }

  close(): void {
    this.#database.close();
  }
}

/**
 * The journal in a SQLite file. A file that is damaged (no database, cut short, not our tables, rows that are not ours, a format that can only be
 * read) is set aside under a dated name, reported through `damaged`, and a fresh one begun: an agent that cannot start helps nobody, and what
 * the file knew is found again in the world. Throws `Failure` 'retry' while another process has it open (JournalBusy) or while the disk does
 * not take it (JournalUnusable), 'terminal' for the file of a newer agent (JournalTooNew).
 */
export function openSqliteJournal(
  path: string,
  damaged: (why: string, aside: string) => void,
): Journal {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openFile(path);
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (isBusy(error)) {
      const message = 'another agent on this node has the journal open; waiting until it ends';
      throw new Failure('retry', 'JournalBusy', message, { cause: error });
    }
    if (isTrouble(error) || isSystemError(error)) throw unusable(path, error);
    return beginAfresh(path, error, damaged);
  }
}

function beginAfresh(
  path: string,
  why: unknown,
  damaged: (why: string, aside: string) => void,
): Journal {
  try {
    const aside = setAside(path, Date.now());
    const journal = openFile(path);
    damaged(errorText(why), aside);
    return journal;
  } catch (error) {
    throw unusable(path, new Error(`${errorText(why)}; ${errorText(error)}`, { cause: error }));
  }
}

const isSystemError = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && codeOf(error) === '';

const unusable = (path: string, error: unknown): Failure =>
  new Failure(
    'retry',
    'JournalUnusable',
    `the journal ${path} cannot be used: ${errorText(error)}`,
    { cause: error },
  );
