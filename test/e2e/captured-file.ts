import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import type { Bed } from '../bed/bed.ts';

const signal = AbortSignal.timeout(600_000);

/** A small file as an artifact has it, and nothing of the cluster: `tar` is a path of what extractArtifact leaves. */
export async function readCaptured(
  bed: Bed,
  artifact: { readonly namespace: string; readonly contentUID: string },
  tar: string,
  path: string,
): Promise<string> {
  const scratch = await mkdtemp(join(tmpdir(), 'captured-'));
  try {
    const store = dirStore(join(bed.node(bed.nodes[0] ?? '').rootPath, 'var/lib/cryopod-store'));
    const directory = join(scratch, 'artifact');
    await extractArtifact(store, artifact, directory, signal);
    const file = join(directory, tar);
    const options = ['--wildcards', '--extract', '--to-stdout', `--file=${file}`, `*${path}`];
    return (await promisify(execFile)('tar', options)).stdout;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
