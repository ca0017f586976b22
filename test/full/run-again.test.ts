import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  logsOf,
  readContent,
  waitForEnd,
} from '../e2e/cluster.ts';
import { endRun, runAgain } from '../e2e/run-again.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

describe('other workloads run again from the artifact alone', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'run-again');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  const [source, target] = ['node-a', 'node-b'];

  const capture = async (pod: string): Promise<string> => {
    await bed.apply(snapshotOf({ name: pod, namespace, pod }));
    const ended = await waitForEnd(bed, namespace, pod, 60_000);
    expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status.conditions)).toBe(
      true,
    );
    const content = await readContent(bed, ended.metadata.uid);
    return content?.metadata.uid ?? '';
  };

  it('a Python server with 32 threads counts on in every thread', async () => {
    const image = 'cryopod.dev/sample-python:dev';
    await bed.apply(
      sourcePod({
        name: 'python',
        namespace,
        image,
        nodeName: source,
        environment: { THREADS: '32' },
      }),
    );
    const state = (log: string): { token: string; counts: readonly number[] } | undefined => {
      const line = log.trim().split('\n').at(-1) ?? '';
      const match = /^token=(\w+) counts=([\d,]+)$/.exec(line);
      return match === null
        ? undefined
        : { token: match[1] ?? '', counts: (match[2] ?? '').split(',').map(Number) };
    };
    const before = await bed.waitFor(
      'python to print',
      async () => state(await logsOf(bed, namespace, 'python').catch(() => '')),
      60_000,
    );
    const contentUID = await capture('python');
    await bed.kubectl(['delete', 'pod', 'python', '-n', namespace]);
    const run = {
      bed,
      node: target,
      namespace,
      podName: 'python-again',
      image,
      artifact: { namespace, contentUID },
    };
    await runAgain(run);
    const after = await bed.waitFor(
      'every thread to count on',
      async () => {
        const now = state(await logsOf(bed, namespace, 'python-again'));
        return now?.counts.every((count, index) => count > (before.counts[index] ?? 0))
          ? now
          : undefined;
      },
      30_000,
    );
    expect(after.token).toBe(before.token);
    expect(after.counts).toHaveLength(32);
    await endRun(run);
  });
});
