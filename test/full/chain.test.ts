import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { testWorkloadsImage } from '../bed/images/build.ts';
import { attachSharedBed, createNamespace, deleteNamespace } from '../e2e/cluster.ts';
import {
  captured,
  endPod,
  type Place,
  restored,
  testWorkloads,
  waitForWord,
} from '../e2e/self-checking.ts';
import { sourcePod } from '../e2e/workloads.ts';

describe.concurrent('a restored pod is captured again and that snapshot restored, three times over', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    await bed.load((await testWorkloadsImage({ log })).archive);
    namespace = await createNamespace(bed, 'chain');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it.each([
    ['on one node', 'stays', ['node-a', 'node-a', 'node-a']],
    ['from node to node', 'moves', ['node-a', 'node-b', 'node-a']],
  ])(
    '%s: one of every kernel object, and the number, go on each time',
    async (_where, name, nodes) => {
      const place: Place = { bed, namespace, source: 'node-b', target: 'node-a' };
      const source = sourcePod({
        ...{ name, namespace, image: testWorkloads, command: ['kernel-objects'] },
        nodeName: name === 'stays' ? 'node-a' : place.source,
      });
      await bed.apply(source);
      let pod = name;
      let before = await waitForWord(place, pod, 1);
      for (const node of nodes) {
        await captured(place, pod);
        const next = await restored(place, pod, source, node);
        await endPod(place, pod);
        const first = await waitForWord(place, next, 0);
        expect(first.token).toBe(before.token);
        expect(first.count).toBeGreaterThanOrEqual(before.count);
        pod = next;
        before = await waitForWord(place, pod, first.count + 1);
      }
      await endPod(place, pod);
    },
  );
});
