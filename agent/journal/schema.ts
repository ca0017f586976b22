/**
 * The journal's migrations: statement n takes a file from user_version n to n + 1. Entries are never edited once released,
 * only added, so that every file in the field can be brought forward.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE intent (
     contentUID TEXT PRIMARY KEY,
     contentName TEXT NOT NULL,
     namespace TEXT NOT NULL,
     snapshotName TEXT NOT NULL,
     podUID TEXT NOT NULL,
     podName TEXT NOT NULL,
     container TEXT NOT NULL,
     attempt INTEGER NOT NULL CHECK (attempt >= 0),
     step TEXT NOT NULL,
     stagingDirectory TEXT NOT NULL,
     criuPid INTEGER,
     criuStartTicks INTEGER,
     sourcePid INTEGER,
     sourceStartTicks INTEGER,
     fence INTEGER NOT NULL,
     facts TEXT NOT NULL
   ) STRICT`,
  `CREATE TABLE holder (
     identity TEXT PRIMARY KEY
   ) STRICT`,
];
