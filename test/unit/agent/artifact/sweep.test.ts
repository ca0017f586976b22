import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deleteArtifact } from '../../../../agent/artifact/delete.ts';
import { namedBlobs } from '../../../../agent/artifact/discard-unnamed.ts';
import { publishArtifact } from '../../../../agent/artifact/publish.ts';
import { planSweep, sweepStore } from '../../../../agent/artifact/sweep.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import type { DumpResult } from '../../../../agent/capture/backend.ts';
import { digestHex } from '../../../../agent/store/digest.ts';
import { dirStore } from '../../../../agent/store/dir/dir-store.ts';
import type { ReferenceKey, SnapshotStore } from '../../../../agent/store/store.ts';
import { Failure, isFailure } from '../../../../core/failure.ts';
import { makeDump, someFacts } from '../../../support/fake-dump.ts';
import { memoryStore } from '../../../support/memory-store.ts';
import { scheduledStore } from '../../../support/scheduled-store.ts';

const signal = new AbortController().signal;
const hour = 3_600_000;
const keyOf = (contentUID: string): ReferenceKey => ({ namespace: 'default', contentUID });

async function digestsOf(store: SnapshotStore): Promise<readonly string[]> {
  const digests: string[] = [];
  for await (const { digest } of store.listBlobs(signal)) digests.push(digest);
  return digests.toSorted();
}

/** As its callers do: what ends in a Failure to retry is done again. */
async function persistently(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isFailure(error, 'retry') || attempt === 5) throw error;
    }
  }
}

describe('a sweep', () => {
  let base: string;
  let directory: string;
  const dumps = new Map<string, DumpResult>();
  // Two dumps with nearly all blobs in common, each in as many stagings as there are publishers.
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'sweep-dumps-'));
    for (const name of ['a', 'b', 'c']) {
      dumps.set(name, await makeDump(join(base, name), { 'pages-1.img': Buffer.alloc(4096, 7) }));
    }
    return () => rm(base, { recursive: true, force: true });
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sweep-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const publish = async (
    store: SnapshotStore,
    name: string,
    beforeReference = async (): Promise<void> => undefined,
  ): Promise<void> => {
    const dump = dumps.get(name);
    if (dump === undefined) throw new Error(`no dump ${name}`);
    await publishArtifact({
      ...{ store, dump, stagingDirectory: join(base, name), key: keyOf(name), fence: 0, signal },
      facts: { ...someFacts, contentUID: name },
      beforeReference,
      onProgress: () => undefined,
    });
  };
  const publishHalf = async (store: SnapshotStore, name: string): Promise<void> => {
    const dies = publish(store, name, () => Promise.reject(new Error('dies')));
    await expect(dies).rejects.toThrow('dies');
  };

  // Nothing is ever young: the grace period may not be what keeps blobs.
  const far = Date.now() + 1000 * hour;

  /** Two publishers, who find old blobs of no snapshot, against two sweepers and the deletion of a snapshot with the same blobs. */
  const raceAll = async (
    plain: SnapshotStore,
    scheduler: fc.Scheduler,
    stepsPerSweep: number,
  ): Promise<void> => {
    await publishHalf(plain, 'a');
    await publish(plain, 'c');
    let over = false;
    // Steps of the publishers let the sweepers make another round: rounds without end would starve those who read real files.
    let step = Promise.withResolvers<void>();
    let steps = 0;
    const next = (): void => {
      steps += 1;
      if (!over && steps % stepsPerSweep > 0) return;
      step.resolve();
      step = Promise.withResolvers();
    };
    const store = (who: string, onStep = (): void => undefined): SnapshotStore =>
      scheduledStore(plain, scheduler, who, onStep);
    const publishers = Promise.all([
      persistently(() => publish(store('first publisher', next), 'a')),
      persistently(() => publish(store('second publisher', next), 'b')),
    ]).finally(() => {
      over = true;
      next();
    });
    const sweepOn = async (who: string): Promise<void> => {
      while (!over) {
        const { promise } = step;
        await persistently(() => sweepStore(store(who), 0, far, signal));
        if (!over) await promise;
      }
    };
    const others = [
      persistently(() => deleteArtifact(store('deleter'), keyOf('c'), signal)),
      sweepOn('first sweeper'),
      sweepOn('second sweeper'),
    ];
    await scheduler.waitFor(Promise.all([publishers, ...others]));
  };

  it('takes only what is old and named by nobody, and says so before', async () => {
    for (const store of [memoryStore(), dirStore(directory)]) {
      await publish(store, 'a');
      const needed = await digestsOf(store);
      await publishHalf(store, 'b');
      const early = await planSweep(store, hour, Date.now(), signal);
      expect([early.named.length, early.garbage.length]).toEqual([needed.length, 0]);
      expect(early.young.length).toBe((await digestsOf(store)).length - needed.length);
      await sweepStore(store, hour, Date.now(), signal);
      expect((await digestsOf(store)).length).toBe(needed.length + early.young.length);

      const later = Date.now() + hour + 1000;
      const plan = await planSweep(store, hour, later, signal);
      expect(plan.garbage.map(({ digest }) => digest)).toEqual(
        early.young.map(({ digest }) => digest),
      );
      const { freedBytes } = await sweepStore(store, hour, later, signal);
      expect(freedBytes).toBe(plan.garbage.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
      expect(await digestsOf(store)).toEqual(needed);
      await verifyArtifact(store, keyOf('a'), signal);
    }
  });

  it('has nothing to do for a deletion that was interrupted and asked for again', async () => {
    for (const store of [memoryStore(), dirStore(directory)]) {
      await publish(store, 'a');
      let fails = true;
      const failing: SnapshotStore = {
        ...store,
        discardBlobs: (...given) => {
          if (!fails) return store.discardBlobs(...given);
          fails = false;
          throw new Failure('retry', 'StorageError', 'the disk stumbled');
        },
      };
      const deletion = () => deleteArtifact(failing, keyOf('a'), signal);
      await expect(deletion()).rejects.toThrow('stumbled');
      expect(await store.getReference(keyOf('a'), signal)).toBeUndefined();
      expect((await digestsOf(store)).length).toBeGreaterThan(0);
      expect((await deletion()).freedBytes).toBeGreaterThan(0);
      expect(await digestsOf(store)).toEqual([]);
    }
  });

  it('touches no blob while one snapshot cannot be read', async () => {
    const store = dirStore(directory);
    await publish(store, 'a');
    await publishHalf(store, 'b');
    const before = await digestsOf(store);
    const manifest = await store.getReference(keyOf('a'), signal);
    if (manifest === undefined) throw new Error('not published');
    const file = join(directory, 'blobs/sha256', digestHex(manifest.digest));
    await writeFile(file, 'rotten');
    expect(await planSweep(store, hour, far, signal)).toMatchObject({
      garbage: [],
      blocked: expect.stringContaining(manifest.digest),
    });
    expect(await sweepStore(store, hour, far, signal)).toMatchObject({
      freedBytes: 0,
      kept: expect.stringContaining(manifest.digest),
    });
    expect(await digestsOf(store)).toEqual(before);
  });

  it('finishes what an interrupted one left in the trash, though nothing else is to do', async () => {
    const store = dirStore(directory);
    await publishHalf(store, 'a');
    for await (const { digest } of store.listBlobs(signal)) {
      const hex = digestHex(digest);
      const aside = join(directory, 'trash', `${hex}.00000000-0000-4000-8000-000000000000`);
      await rename(join(directory, 'blobs/sha256', hex), aside);
    }
    const { garbage, leftovers } = await planSweep(store, hour, Date.now(), signal);
    expect(garbage).toEqual([]);
    expect(leftovers.length).toBeGreaterThan(0);
    await sweepStore(store, hour, Date.now(), signal);
    expect((await planSweep(store, hour, Date.now(), signal)).leftovers).toEqual([]);
  });

  it.each([
    { where: 'in memory', runs: 8, stepsPerSweep: 3, make: async () => memoryStore() },
    {
      where: 'in a directory',
      runs: 3,
      stepsPerSweep: 5,
      make: async () => dirStore(await mkdtemp(join(directory, 'run-'))),
    },
  ])(
    'of any number, with publishes and a deletion, in any order of steps, loses nothing $where',
    async ({ runs, stepsPerSweep, make }) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), async (scheduler) => {
          const plain = await make();
          await raceAll(plain, scheduler, stepsPerSweep);
          for (const name of ['a', 'b']) await verifyArtifact(plain, keyOf(name), signal);
          await sweepStore(plain, 0, far, signal);
          const needed = [...(await namedBlobs(plain, signal))].toSorted();
          expect(await digestsOf(plain)).toEqual(needed);
        }),
        { numRuns: runs },
      );
    },
    60_000,
  );

  it('removes what a dead writer left', async () => {
    const store = dirStore(directory);
    await publish(store, 'a');
    const file = join(directory, 'tmp/99-00000000-0000-4000-8000-000000000000');
    await writeFile(file, 'half');
    await utimes(file, 1000, 1000);
    const { leftovers } = await planSweep(store, hour, Date.now(), signal);
    expect(leftovers).toMatchObject([{ name: expect.stringMatching(/^tmp\/99-/), sizeBytes: 4 }]);
    await sweepStore(store, hour, Date.now(), signal);
    expect((await planSweep(store, hour, Date.now(), signal)).leftovers).toEqual([]);
    await verifyArtifact(store, keyOf('a'), signal);
  });
});
