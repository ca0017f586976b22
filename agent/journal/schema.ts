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
  // One capture may be of several containers: a list of their processes takes the place of one container's.
  `ALTER TABLE intent ADD COLUMN processes TEXT NOT NULL DEFAULT '[]';
   UPDATE intent SET processes = json_array(json_object(
     'container', container,
     'source', json_object('pid', sourcePid, 'startTicks', sourceStartTicks),
     'criu', CASE WHEN criuPid IS NULL THEN NULL
             ELSE json_object('pid', criuPid, 'startTicks', criuStartTicks) END))
     WHERE sourcePid IS NOT NULL;
   ALTER TABLE intent DROP COLUMN container;
   ALTER TABLE intent DROP COLUMN criuPid;
   ALTER TABLE intent DROP COLUMN criuStartTicks;
   ALTER TABLE intent DROP COLUMN sourcePid;
   ALTER TABLE intent DROP COLUMN sourceStartTicks`,
];
