import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteArtifact } from '../../agent/artifact/delete.ts';
import { namedBlobs } from '../../agent/artifact/discard-unnamed.ts';
import { publishArtifact } from '../../agent/artifact/publish.ts';
import type { DumpResult } from '../../agent/capture/backend.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { makeDump, someFacts } from '../support/fake-dump.ts';

const { signal } = new AbortController();
const program = join(import.meta.dirname, '../../cli/main.ts');
const rounds = 12;

describe('sweeps by other processes, some of them killed', () => {
  let base: string;
  let root: string;
  let dump: DumpResult;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'store-sweep-'));
    root = join(base, 'store');
    await mkdir(root);
    dump = await makeDump(join(base, 'staging'), { 'pages-1.img': Buffer.alloc(2 ** 20, 5) });
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const sweepWords = ['artifact', 'sweep', '--delete', '--grace', '0s', '--store'];
  const cryopod = (...words: readonly string[]) =>
    promisify(execFile)(process.execPath, [program, ...words]);

  it('take nothing from snapshots that are published and deleted meanwhile', async () => {
    const store = dirStore(root);
    const publish = (contentUID: string): Promise<unknown> =>
      publishArtifact({
        ...{ store, dump, stagingDirectory: join(base, 'staging'), fence: 0, signal },
        key: { namespace: 'default', contentUID },
        facts: { ...someFacts, contentUID },
        beforeReference: async () => undefined,
        onProgress: () => undefined,
      });
    await publish('first');
    let over = false;
    let killed = 0;
    const sweepOn = async (): Promise<void> => {
      while (!over) {
        const child = spawn(process.execPath, [program, ...sweepWords, root], { stdio: 'ignore' });
        const ended = once(child, 'exit');
        // At the moment when blobs are aside, so that something is left for others to finish.
        while (child.exitCode === null && child.signalCode === null) {
          if ((await readdir(join(root, 'trash'))).length > 0 && killed < rounds / 2) {
            if (child.kill('SIGKILL')) killed += 1;
            break;
          }
        }
        await ended;
      }
    };
    const sweeping = [sweepOn(), sweepOn()];
    try {
      for (let round = 0; round < rounds; round += 1) {
        await publish(`snapshot-${round}`);
        // All blobs but the documents lose their last name, and the next publish finds them old, aside or gone.
        const before = round === 0 ? 'first' : `snapshot-${round - 1}`;
        if (round % 3 > 0)
          await deleteArtifact(store, { namespace: 'default', contentUID: before }, signal);
        await store.deleteReference(
          { namespace: 'default', contentUID: 'first' },
          async () => undefined,
          signal,
        );
      }
    } finally {
      over = true;
      await Promise.all(sweeping);
    }
    const { stdout } = await cryopod('artifact', 'verify', '--store', root);
    expect(stdout).toContain(`default/snapshot-${rounds - 1}: intact`);
    execFileSync(process.execPath, [program, ...sweepWords, root]);
    expect(await readdir(join(root, 'trash'))).toEqual([]);
    const needed = [...(await namedBlobs(store, signal))].map((digest) => digest.slice(7));
    expect((await readdir(join(root, 'blobs/sha256'))).toSorted()).toEqual(needed.toSorted());
  });
});
