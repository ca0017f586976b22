import { afterAll, beforeAll, describe, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { testWorkloadsImage } from '../bed/images/build.ts';
import { attachSharedBed, createNamespace, deleteNamespace } from './cluster.ts';
import { expectToRunAgain, testWorkloads } from './self-checking.ts';

describe('a program that holds one of every kernel object', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    await bed.load((await testWorkloadsImage({ log })).archive);
    namespace = await createNamespace(bed, 'kernel-objects');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('runs again on both nodes with all of them', () =>
    expectToRunAgain(
      { bed, namespace, source: 'node-a', target: 'node-b' },
      { name: 'objects', image: testWorkloads, command: ['kernel-objects'] },
    ));
});
