import { open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { archivedBytes, artifactArchive } from '../../../agent/artifact/oci-archive.ts';
import { readArtifact } from '../../../agent/artifact/read.ts';
import type { SnapshotStore } from '../../../agent/store/store.ts';
import { formatBytes } from '../../../core/units.ts';
import { ProgressLine } from '../../progress-line.ts';
import { type ExitCode, exitCodes, type Terminal } from '../../terminal.ts';
import { findSnapshot, nameOf } from './snapshot-name.ts';

/** What stands for the terminal's own input or output in the place of a file name. */
export const standardStream = '-';

/**
 * `artifact export`: writes a snapshot as a tar of an OCI image layout. A file must not exist, is 0600 because the memory of a process is in it, and
 * is removed again when the export fails.
 */
export async function exportArtifact(
  store: SnapshotStore,
  name: string,
  file: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const { signal, output, errors } = terminal;
  const key = await findSnapshot(store, name, signal);
  const artifact = await readArtifact(store, key, signal);
  const line = new ProgressLine(terminal);
  const bytesTotal = archivedBytes(artifact);
  let written = 0;
  const archive = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of artifactArchive(store, key, artifact, signal)) {
      written += piece.byteLength;
      line.show(file, Math.min(written, bytesTotal), bytesTotal);
      yield piece;
    }
  };
  try {
    if (file === standardStream) await writeStream(archive(), output, signal);
    else await writeNewFile(archive(), file, signal);
  } finally {
    line.clear();
  }
  const place = file === standardStream ? 'standard output' : file;
  errors.write(
    `${nameOf(key)}: ${formatBytes(written)} to ${place}, ${artifact.reference.digest}\n`,
  );
  return exitCodes.done;
}

const writeStream = (
  archive: AsyncIterable<Buffer>,
  output: Writable,
  signal: AbortSignal,
): Promise<void> => pipeline(archive, output, { signal, end: false });

async function writeNewFile(
  archive: AsyncIterable<Buffer>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  try {
    for await (const piece of archive) {
      signal.throwIfAborted();
      await file.writeFile(piece);
    }
    await file.datasync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
