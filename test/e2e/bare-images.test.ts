import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { bareImages } from '../bed/images/build.ts';
import { attachSharedBed, createNamespace, deleteNamespace } from './cluster.ts';
import { expectToRunAgain, type Place } from './self-checking.ts';

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
});
