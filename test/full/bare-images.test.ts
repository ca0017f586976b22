import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Bed } from '../bed/bed.ts';
import { bareImages } from '../bed/images/build.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  readContent,
  waitForEnd,
} from '../e2e/cluster.ts';
import { expectToRunAgain, type Place, restored, waitForWord } from '../e2e/self-checking.ts';

describe.concurrent('an image that holds one program and nothing else', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    for (const { archive } of await bareImages({ log })) await bed.load(archive);
    namespace = await createNamespace(bed, 'bare-images');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const place = (): Place => ({ bed, namespace, source: 'node-a', target: 'node-b' });

  it('static, not root, without any privilege and with a read-only root: restored on the other node', () =>
    expectToRunAgain(place(), {
      name: 'static',
      image: 'cryopod.dev/test-static:dev',
      emptyDirAt: '/data',
      container: {
        securityContext: {
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    }));

  it('with musl and its loader, and no glibc: restored on the other node', () =>
    expectToRunAgain(place(), { name: 'musl', image: 'cryopod.dev/test-musl:dev' }));

  it('says itself when it is ready to be captured, though nothing in it could look for its file', async () => {
    const name = 'ready';
    const image = 'cryopod.dev/test-musl:dev';
    const container = { name: 'main', image, imagePullPolicy: 'Never' };
    const spec = { terminationGracePeriodSeconds: 1, containers: [container] };
    await bed.apply(
      stringify({
        apiVersion: 'nvidia.com/v1alpha1',
        kind: 'SnapshotJob',
        metadata: { name, namespace },
        spec: {
          activeDeadlineSeconds: 120,
          podSnapshotTemplate: { targetContainers: ['main'] },
          podTemplate: { spec },
        },
      }),
    );
    const appears = ['wait', `podsnapshot/${name}`, '-n', namespace, '--for=create'];
    await bed.kubectl([...appears, '--timeout=60s']);
    const { status, metadata } = await waitForEnd(bed, namespace, name, 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const template = (await readContent(bed, metadata.uid))?.spec.source.template;
    const source = stringify({ metadata: { name, namespace }, spec: template?.spec });
    const pod = await restored(place(), name, source);
    expect((await waitForWord(place(), pod, 2)).token).not.toBe('');
  });
});
