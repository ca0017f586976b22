import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { extractArtifact } from '../../../../agent/artifact/extract.ts';
import { publishArtifact } from '../../../../agent/artifact/publish.ts';
import { layerStatistics } from '../../../../agent/artifact/statistics.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import type { DumpResult } from '../../../../agent/capture/backend.ts';
import { makeDump, someFacts, tarDirectory } from '../../../support/fake-dump.ts';
import { memoryStore } from '../../../support/memory-store.ts';

const signal = new AbortController().signal;
const key = { namespace: 'default', contentUID: 'c0ffee' };

it('an artifact of several containers keeps each apart, and a volume that they share once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pair-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const staging = join(directory, 'staging');
  const store = memoryStore();
  const dump = await makeDump(staging, { 'pages-1.img': Buffer.alloc(5000, 'page') });
  const [main] = dump.containers;
  if (main === undefined) throw new Error('no container was dumped');
  const side = { ...main, name: 'side', imagesDirectory: 'side', rootfsTar: 'side.tar' };
  await mkdir(join(staging, 'side'));
  await writeFile(join(staging, 'side/pages-1.img'), 'memory of the side');
  await mkdir(join(staging, 'tree'));
  await writeFile(join(staging, 'tree/file'), randomBytes(100_000));
  tarDirectory(join(staging, 'tree'), join(staging, 'data.tar'));
  tarDirectory(join(staging, 'rootfs.tar.d'), join(staging, 'side.tar'));
  const data = { path: '/data', treatment: 'volume', volume: 'data', kind: 'emptyDir' } as const;
  const pair: DumpResult = {
    ...dump,
    containers: [
      { ...main, mounts: [...main.mounts, data] },
      { ...side, mounts: [{ ...data, path: '/in', subPath: 'sub' }] },
    ],
    volumeTars: [...dump.volumeTars, { name: 'data', path: 'data.tar' }],
  };
  const fact = (name: string) => ({ name, image: `${name}:1`, imageID: '', limits: {} });
  const facts = { ...someFacts, containers: [fact('main'), fact('side')] };
  const request = {
    ...{ store, dump: pair, stagingDirectory: staging, facts, key, fence: 1, signal },
    beforeReference: async () => undefined,
    onProgress: () => undefined,
  };
  const { digest, sizeBytes } = await publishArtifact(request);
  expect((await publishArtifact(request)).digest).toBe(digest);
  await verifyArtifact(store, key, signal);
  const out = join(directory, 'out');
  const config = await extractArtifact(store, key, out, signal);
  const names = config.containers.map(({ volumes }) => volumes.map(({ name }) => name));
  expect(names).toEqual([['dev-shm', 'data'], ['data']]);
  expect(config.freezeMilliseconds).toBe(pair.freezeMilliseconds);
  const statistics = layerStatistics(config);
  expect(statistics.map(({ container, type }) => `${container} ${type}`)).toEqual([
    ...['main criu', 'main memory', 'main rootfs', 'main volume'],
    ...['side criu', 'side memory', 'side rootfs'],
  ]);
  expect(sizeBytes).toBe(statistics.reduce((sum, layer) => sum + layer.sizeBytes, 0));
  expect((await readdir(join(out, 'containers'))).sort()).toEqual(['main', 'side']);
  expect((await readdir(join(out, 'volumes'))).sort()).toEqual(['data.tar', 'dev-shm.tar']);
  const memory = await readFile(join(out, 'containers/side/images/pages-1.img'), 'utf8');
  expect(memory).toBe('memory of the side');
});
