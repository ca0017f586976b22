import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ArtifactConfig } from '../../agent/artifact/config.ts';
import { readArtifact } from '../../agent/artifact/read.ts';
import { apiVersion } from '../../core/api/names.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { flipBit, storeEdited, storeOf, withImages } from '../e2e/edited-artifact.ts';
import { type RefusalCase, refusalCases } from '../e2e/refusal-cases.ts';
import { placeholderPod, snapshotOf, sourcePod } from '../e2e/workloads.ts';
import { message } from '../unit/agent/criu-images/image-of.ts';

const image = 'cryopod.dev/sample-counter:dev';
const node = 'node-b';
const signal = AbortSignal.timeout(600_000);
const limit = 90_000;

describe('a placeholder is refused', () => {
  let bed: Bed;
  let namespace: string;
  let other: string;

  const apply = (object: object): Promise<void> => bed.apply(JSON.stringify(object));
  /** A snapshot of an artifact that is in the store. */
  const provide = async (name: string, digest: string): Promise<void> => {
    const content = `${namespace}-${name}`;
    const source = { nodeName: node, artifact: { store: 'dir', digest } };
    const kind = 'PodSnapshotContent';
    const metadata = { name: content };
    await apply({ apiVersion, kind, metadata, spec: { snapshotRef: { namespace, name }, source } });
    const spec = { source: { contentName: content } };
    await apply({ apiVersion, kind: 'PodSnapshot', metadata: { name, namespace }, spec });
  };
  const podNameOf = (name: string): string => name.replace('/', '-');
  const place = async (
    { name, snapshot, container, withoutVolume }: Omit<RefusalCase, 'what' | 'says'>,
    where = namespace,
  ): Promise<void> => {
    const data = withoutVolume ? [] : [{ name: 'data', emptyDir: {} }];
    const mounts = { volumeMounts: data.map((one) => ({ name: one.name, mountPath: '/data' })) };
    const main = { name: name === 'renamed' ? 'other' : 'main', image, ...mounts, ...container };
    await bed.apply(
      placeholderPod({
        ...{ name: podNameOf(name), namespace: where, snapshot: snapshot ?? name, nodeName: node },
        ...{ volumes: data, containers: [main] },
      }),
    );
  };
  const podOf = async (name: string, where = namespace) => {
    const text = await bed.kubectl(['get', 'pod', podNameOf(name), '-n', where, '-o', 'json']);
    const parsed = parsePod(JSON.parse(text));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const saidBy = (name: string, wanted: RegExp, where = namespace): Promise<string> => {
    let last = '';
    return bed
      .waitFor(
        `${name} to say ${wanted}`,
        async () => {
          const { conditions } = (await podOf(name, where)).status;
          const found = conditions.find(({ type }) => type === restoredCondition);
          last = `${found?.status}/${found?.reason}: ${found?.message}`;
          return wanted.test(last) ? last : undefined;
        },
        limit,
      )
      .catch((error: unknown) => {
        throw new Error(`it says ${last}`, { cause: error });
      });
  };
  /** Never Ready, the same container as ever, nothing but the init's own files in its control directory, and nothing of it on the node. */
  const expectUntouched = async (name: string, where = namespace): Promise<void> => {
    const list = 'busybox find /snapshot-control -mindepth 1; test -e /data/own && echo data';
    const exec = ['exec', podNameOf(name), '-n', where, '--', 'busybox', 'sh', '-c'];
    const found = await bed.waitFor(
      `the init of ${name} to wait`,
      async () => {
        const text = await bed.kubectl([...exec, `${list}; true`]).catch(() => '');
        return text.includes('placeholder-waiting') ? text : undefined;
      },
      limit,
    );
    const { metadata, status } = await podOf(name, where);
    expect(status.conditions.find(({ type }) => type === 'Ready')?.status).toBe('False');
    expect(status.containerStatuses[0]).toMatchObject({ restartCount: 0, ready: false });
    expect(found.trim().split('\n').toSorted()).toEqual([
      ...['/snapshot-control/init', '/snapshot-control/placeholder-waiting'],
    ]);
    const left = await bed
      .node(node)
      .exec(['sh', '-c', `ls /var/lib/cryopod/restore/work | grep ${metadata.uid}; true`]);
    expect(left.stdout).toBe('');
  };

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'refusals');
    other = await createNamespace(bed, 'elsewhere');
    const source = parse(
      sourcePod({
        ...{ name: 'source', namespace, image, nodeName: 'node-a', emptyDirAt: '/data' },
        environment: { MEMORY_MEBIBYTES: '32', KEEP_RUNNING: '1' },
      }),
    );
    await apply(source);
    await waitForTick(bed, namespace, 'source');
    await bed.apply(snapshotOf({ name: 'good', namespace, pod: 'source' }));
    const good = await waitForEnd(bed, namespace, 'good', limit);
    expect(good.status.stage, JSON.stringify(good.status)).toBe('Captured');

    const store = storeOf(bed);
    const key = { namespace, contentUID: await contentUIDOf('good') };
    const edited = (change: (container: ArtifactConfig) => ArtifactConfig) =>
      storeEdited(store, key, change);
    const containersWith = (
      config: ArtifactConfig,
      change: Partial<ArtifactConfig['containers'][number]>,
    ): ArtifactConfig['containers'] => config.containers.map((one) => ({ ...one, ...change }));
    const foreign = await edited((config) => ({
      ...config,
      node: { name: 'far', architecture: 'sparc64', kernelVersion: '99.1.0' },
      containers: containersWith(config, { image: 'elsewhere:1', imageID: imageIDLike(config) }),
    }));
    const disk = { 1: 16, 2: 9999, 3: 1, 4: 1, 5: 0, 6: '/', 7: '/mnt', 8: '/dev/vda', 9: '' };
    const hostile = await withImages(
      store,
      key,
      (name, bytes) =>
        /^mountpoints-/.test(name) ? withEntry(bytes, message({ ...disk, 14: 'ext4' })) : bytes,
      { 'route-9.img': Buffer.from('program') },
    );
    await provide('foreign', foreign);
    await provide('hostile', await edited((config) => ({ ...config, containers: [hostile] })));
    for (const name of ['gone', 'damaged']) {
      await provide(name, await edited((config) => ({ ...config, node: { name } })));
    }
    for (const name of ['foreign', 'hostile', 'gone', 'damaged']) {
      const { status } = await waitForEnd(bed, namespace, name, limit);
      expect(status.stage, JSON.stringify(status)).toBe('Captured');
    }
    const root = join(bed.node(node).rootPath, 'var/lib/cryopod-store/snapshots', namespace);
    await rm(join(root, `${await contentUIDOf('gone')}.json`));
    await apply({
      ...{ apiVersion, kind: 'PodSnapshot', metadata: { name: 'unready', namespace } },
      spec: { source: { contentName: `${namespace}-nothing` } },
    });
    await Promise.all([
      ...refusalCases.map((one) => place(one)),
      place({ name: 'unready' }),
      place({ name: 'stray', snapshot: 'good' }, other),
    ]);
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
    await deleteNamespace(bed, other);
  });

  const contentUIDOf = async (snapshot: string): Promise<string> => {
    const name = ['-o', 'jsonpath={.status.boundSnapshotContentName}'];
    const bound = await bed.kubectl(['get', 'podsnapshot', snapshot, '-n', namespace, ...name]);
    return bed.kubectl(['get', 'podsnapcontent', bound, '-o', 'jsonpath={.metadata.uid}']);
  };

  it.each(refusalCases)('for $what', async ({ name, says }) => {
    const said = await saidBy(name, /^False\/RestoreIncompatible: /);
    for (const words of says) expect(said).toMatch(words);
    await expectUntouched(name);
  });

  it('in another namespace than its snapshot', async () => {
    const said = await saidBy('stray', /^False\/RestoreIncompatible: /, other);
    expect(said).toContain(`PodSnapshot good does not exist in namespace ${other}`);
    await expectUntouched('stray', other);
  });

  it('no more than for now while its snapshot is not Ready', async () => {
    expect(await saidBy('unready', /^False\/RestorePending: .*not Ready/)).toContain('unready');
    await expectUntouched('unready');
  });

  it('for an artifact with a flipped bit, which is named', async () => {
    const key = { namespace, contentUID: await contentUIDOf('damaged') };
    const { config } = await readArtifact(storeOf(bed), key, signal);
    const { digest } = config.containers[0]?.rootfs ?? { digest: '' };
    await flipBit(bed, digest);
    try {
      await place({ name: 'damaged' });
      const said = await saidBy('damaged', /^False\/RestoreIncompatible: /);
      expect(said).toContain(digest);
      await expectUntouched('damaged');
    } finally {
      await flipBit(bed, digest);
    }
  });

  it('for nothing when it fits, whatever its image has where CRIU looks for plugins', async () => {
    const volumes = [
      { name: 'data', emptyDir: {} },
      { name: 'plugins', emptyDir: {} },
    ];
    const pod = parse(
      placeholderPod({
        ...{ name: 'fits', namespace, snapshot: 'good', nodeName: node, volumes },
        containers: [
          {
            ...{ name: 'main', image, resources: { limits: { memory: '256Mi' } } },
            volumeMounts: [
              { name: 'data', mountPath: '/data' },
              { name: 'plugins', mountPath: '/usr/lib/criu' },
            ],
          },
        ],
      }),
    );
    pod.spec.initContainers.push({
      ...{ name: 'plant', image, imagePullPolicy: 'Never' },
      command: ['busybox', 'sh', '-c', 'echo no library > /usr/lib/criu/evil.so'],
      volumeMounts: [{ name: 'plugins', mountPath: '/usr/lib/criu' }],
    });
    await apply(pod);
    await saidBy('fits', /^True\/RestoreSucceeded: /);
  });
});

/** An ID of the same sort that is another one. */
function imageIDLike(config: ArtifactConfig): string {
  const id = config.containers[0]?.imageID ?? '';
  return id.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
}

/** An image with an entry more. */
function withEntry(bytes: Buffer, entry: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(entry.byteLength);
  return Buffer.concat([bytes, length, entry]);
}
