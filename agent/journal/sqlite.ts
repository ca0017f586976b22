import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { errorText, Failure } from '../../core/failure.ts';
import type { Intent, Journal } from './journal.ts';
import { intentOfRow, rowOfIntent } from './row.ts';
import { migrations } from './schema.ts';

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

const isDamage = (error: unknown): boolean =>
  codeOf(error).startsWith('SQLITE_CORRUPT') || codeOf(error) === 'SQLITE_NOTADB';

/**
 * Opens the file, or creates it, for this process alone: the lock lasts as long as the journal is open, so a second agent on the
 * node cannot settle, and undo, what the first is in the middle of.
 */
function openFile(path: string): Database.Database {
  const database = new Database(path, { timeout: busyMilliseconds });
  try {
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    // Intents announce effects: one that a power cut can take back announces nothing.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database);
    for (const raw of database.prepare('SELECT * FROM intent').iterate()) intentOfRow(raw);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
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
}

function setAside(path: string, wallMilliseconds: number): string {
  const aside = `${path}.damaged-${wallMilliseconds}`;
  for (const suffix of ['', '-wal', '-shm']) {
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
      const rows = this.#database.prepare('SELECT identity FROM holder').pluck().all();
      this.#database.prepare('INSERT OR IGNORE INTO holder (identity) VALUES (?)').run(holder);
      this.#database.prepare(forgetHolders).run();
      return new Set(rows.map(String).filter((identity) => identity !== holder));
    })();
  }

  close(): void {
    this.#database.close();
  }
}

/**
 * The journal in a SQLite file. A file that is damaged is set aside under another name, reported through `warn`, and a fresh one
 * begun: an agent that cannot start helps nobody. Throws `Failure` 'retry'/'JournalBusy' while another process has it open.
 */
export function openSqliteJournal(
  path: string,
  warn: (message: string, file: string) => void,
): Journal {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return new SqliteJournal(openFile(path));
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (codeOf(error).startsWith('SQLITE_BUSY')) {
      throw new Failure(
        'retry',
        'JournalBusy',
        'another agent on this node has the journal open; waiting until it ends',
        { cause: error },
      );
    }
    if (!isDamage(error) && codeOf(error) !== '') throw error;
    const aside = setAside(path, Date.now());
    warn(`the journal was damaged and has been set aside: ${errorText(error)}`, aside);
    return new SqliteJournal(openFile(path));
  }
}
