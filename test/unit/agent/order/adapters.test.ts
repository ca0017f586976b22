import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../../agent/config.ts';
import { nodeSources } from '../../../../agent/order/node-sources.ts';
import { directoryStaging } from '../../../../agent/order/staging.ts';
import { storeArtifacts } from '../../../../agent/order/store-artifacts.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import { type Pod, parsePod } from '../../../../core/api/workload.ts';
import { makeDump } from '../../../support/fake-dump.ts';
import { memoryStore } from '../../../support/memory-store.ts';

const never = new AbortController().signal;

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cryopod-order-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the control volume of a pod', () => {
  const podWith = (mounts: readonly object[], volumes: readonly object[]): Pod => {
    const parsed = parsePod({
      metadata: { name: 'p', uid: 'pod-1' },
      spec: { containers: [{ name: 'main', volumeMounts: mounts }], volumes },
    });
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const volumes = [{ name: 'snapshot-control', emptyDir: {} }];
  const mount = { name: 'snapshot-control', mountPath: '/snapshot-control' };
  const at = 'var/lib/kubelet/pods/pod-1/volumes/kubernetes.io~empty-dir/snapshot-control';
  const sources = () =>
    nodeSources({ procRoot: '/proc', hostRoot: directory, kubeletDirectory: '/var/lib/kubelet' });

  it.each([
    ['in the directory of the container', 'main'],
    ['in the volume itself where there is no subPath', ''],
  ])('gets the sentinel %s', async (_where, subPath) => {
    await mkdir(join(directory, at, subPath), { recursive: true });
    const pod = podWith([{ ...mount, ...(subPath === '' ? {} : { subPath }) }], volumes);
    expect(await sources().tell(pod, 'main', 'snapshot-complete', 'done')).toBe(true);
    const file = join(directory, at, subPath, 'snapshot-complete');
    expect(await readFile(file, 'utf8')).toBe('done\n');
  });

  it('is not there in a pod that mounts none', async () => {
    expect(await sources().tell(podWith([], volumes), 'main', 'snapshot-complete', '')).toBe(false);
    expect(await sources().tell(podWith([mount], []), 'main', 'snapshot-complete', '')).toBe(false);
  });

  it('is never left through a link that the workload planted', async () => {
    await mkdir(join(directory, at), { recursive: true });
    await mkdir(join(directory, 'elsewhere'));
    await symlink(join(directory, 'elsewhere'), join(directory, at, 'main'));
    const pod = podWith([{ ...mount, subPath: 'main' }], volumes);
    const told = sources().tell(pod, 'main', 'snapshot-complete', 'x');
    await expect(told).rejects.toMatchObject({ kind: 'terminal', reason: 'UnsafePath' });
  });
});

describe('the staging directory', () => {
  it('is made empty below its root, listed with its files, and dropped', async () => {
    const staging = directoryStaging(join(directory, 'staging'));
    const path = staging.pathOf('0a1b-2c', 2);
    await staging.create(path);
    await makeDump(path, { 'pages-1.img': new Uint8Array(10) });
    expect(await staging.list()).toEqual([path]);
    expect((await staging.files(path)).map((file) => file.path)).toContain('images/pages-1.img');
    await staging.drop(path);
    expect(await staging.list()).toEqual([]);
  });

  it.each(['../x', 'a/b', '', '..'])('is never named by a UID like %j', (uid) => {
    const staging = directoryStaging(join(directory, 'staging'));
    expect(() => staging.pathOf(uid, 1)).toThrow(/cannot name/);
  });

  it('outside the root is neither made nor dropped', async () => {
    const staging = directoryStaging(join(directory, 'staging'));
    await expect((async () => staging.drop(directory))()).rejects.toThrow(/not a staging/);
    await expect(staging.create('/tmp')).rejects.toThrow(/not a staging/);
  });
});

describe('artifacts of a store', () => {
  it('are published, found again with their freeze, and discarded for good', async () => {
    const store = memoryStore();
    const artifacts = storeArtifacts(store, { name: 'node-a', architecture: 'amd64' });
    const content = parsePodSnapshotContent({
      metadata: { name: 'podsnapshotcontent-1', uid: 'uid-1' },
      spec: {
        snapshotRef: { namespace: 'default', name: 'one', uid: 's-1' },
        source: { nodeName: 'node-a', podRef: { name: 'p', uid: 'p-1', containers: ['main'] } },
      },
    });
    if (!content.ok) throw new Error(content.message);
    const dump = await makeDump(directory, { 'pages-1.img': Buffer.alloc(5_000_000, 'page') });
    const key = { namespace: 'default', contentUID: 'uid-1' };
    const facts = {
      startedAt: '2026-01-01T00:00:00Z',
      restartCounts: { main: 0 },
      images: [{ container: 'main', image: 'counter:1', imageID: 'sha256:1' }],
      limits: { main: { memory: '1Gi' } },
      network: { hostname: 'p', podIPs: ['10.0.0.1'] },
    };
    const request = {
      ...{ content: content.value, facts, dump, key, stagingDirectory: directory, fence: 1 },
      beforeReference: async () => {},
      onProgress: () => {},
    };
    expect(await artifacts.find(key, never)).toBeUndefined();
    const published = await artifacts.publish(request, never);
    expect(await artifacts.publish(request, never)).toEqual(published);
    expect(await artifacts.find(key, never)).toEqual({
      published,
      freezeMilliseconds: dump.freezeMilliseconds,
    });
    await artifacts.discard(key, directory, never);
    expect(await artifacts.find(key, never)).toBeUndefined();
    expect(store.blobs.size).toBe(0);
  });
});

describe('the environment of an agent', () => {
  it('needs only the name of the node', () => {
    const config = parseConfig({ NODE_NAME: 'node-a', CRYOPOD_LOG_LEVEL: '' });
    expect(config).toMatchObject({
      nodeName: 'node-a',
      namespace: 'cryopod-system',
      logLevel: 'info',
      stateDirectory: '/var/lib/cryopod',
      parallelDumps: 1,
    });
  });

  it('is refused with every variable that is wrong', () => {
    const wrong = { CRYOPOD_RUNTIME_ROOTS: '/a,b', CRYOPOD_PARALLEL_DUMPS: '0' };
    expect(() => parseConfig(wrong)).toThrow(
      /NODE_NAME.*CRYOPOD_RUNTIME_ROOTS.*CRYOPOD_PARALLEL_DUMPS/,
    );
  });
});
