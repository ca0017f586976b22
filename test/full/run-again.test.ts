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

  const exec = (pod: string, ...command: readonly string[]): Promise<string> =>
    bed.kubectl(['exec', pod, '-n', namespace, '--', ...command]);

  it('a Redis with 10,000 keys answers for all of them on the other node', async () => {
    const image = 'cryopod.dev/sample-redis:dev';
    await bed.apply(sourcePod({ name: 'redis', namespace, image, nodeName: source }));
    await bed.waitFor(
      'redis to answer',
      async () =>
        (await exec('redis', 'redis-cli', 'ping').catch(() => '')).includes('PONG')
          ? true
          : undefined,
      60_000,
    );
    const fill =
      'for i=1,10000 do redis.call("set", "key:"..i, "value-"..i) end return redis.call("dbsize")';
    expect((await exec('redis', 'redis-cli', 'eval', fill, '0')).trim()).toBe('10000');
    const runID = /run_id:(\w+)/.exec(await exec('redis', 'redis-cli', 'info', 'server'))?.[1];
    const contentUID = await capture('redis');
    expect((await exec('redis', 'redis-cli', 'dbsize')).trim()).toBe('10000');
    await bed.kubectl(['delete', 'pod', 'redis', '-n', namespace]);
    const run = {
      bed,
      node: target,
      namespace,
      podName: 'redis-again',
      image,
      artifact: { namespace, contentUID },
    };
    await runAgain(run);
    expect((await exec('redis-again', 'redis-cli', 'dbsize')).trim()).toBe('10000');
    expect((await exec('redis-again', 'redis-cli', 'get', 'key:7777')).trim()).toBe('value-7777');
    expect(/run_id:(\w+)/.exec(await exec('redis-again', 'redis-cli', 'info', 'server'))?.[1]).toBe(
      runID,
    );
    await endRun(run);
  });

  it('a threaded Python server counts on in every thread', async () => {
    const image = 'cryopod.dev/sample-python:dev';
    await bed.apply(sourcePod({ name: 'python', namespace, image, nodeName: source }));
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
    expect(after.counts.length).toBeGreaterThanOrEqual(8);
    await endRun(run);
  });
});
