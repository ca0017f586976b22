import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type ArchiveSource, importArchive } from '../../../agent/artifact/import-archive.ts';
import type { ReferenceKey, SnapshotStore } from '../../../agent/store/store.ts';
import { ProgressLine } from '../../progress-line.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';
import { standardStream } from './export.ts';
import { nameOf } from './snapshot-name.ts';

/** `artifact import`: puts the snapshot of an OCI layout tar into a store, all of it verified. Prints the name it has there. */
export async function importArtifact(
  store: SnapshotStore,
  file: string,
  as: ReferenceKey | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  const { input, output, signal } = terminal;
  const line = new ProgressLine(terminal);
  const isFile = file !== standardStream;
  const bytesTotal = isFile ? (await stat(file)).size : undefined;
  const source: ArchiveSource = isFile
    ? { open: () => createReadStream(file, { highWaterMark: 1 << 20 }), again: true }
    : { open: () => input, again: false };
  let read = 0;
  const onBytes = (count: number): void => {
    read += count;
    line.show(file, read, bytesTotal);
  };
  try {
    const { key, artifact, isNew } = await importArchive(store, source, as, onBytes, signal);
    line.clear();
    const what = isNew ? 'imported' : 'was there already';
    output.write(`${nameOf(key)}: ${what}, ${artifact.reference.digest}\n`);
    return exitCodes.done;
  } finally {
    line.clear();
  }
}
