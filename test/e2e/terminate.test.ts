import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  logsOf,
  readSnapshot,
  waitForEnd,
} from './cluster.ts';
import { placeholderOf, waitForRestored } from './placeholder.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

const image = 'cryopod.dev/sample-counter:dev';
const [source, target] = ['node-a', 'node-b'];

describe('a snapshot that ends its source', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'terminate');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const counter = (name: string): string =>
    sourcePod({
      ...{ name, namespace, image, nodeName: source },
      environment: { MEMORY_MEBIBYTES: '64', KEEP_RUNNING: '1', TICK_MILLISECONDS: '100' },
    });

  /** The same pod as a Deployment would make it: it comes again whatever happens to it. */
  const deployed = (name: string): string => {
    const { metadata, spec } = parse(counter(name));
    const labels = { app: name };
    return stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { ...spec, restartPolicy: 'Always' } },
      },
    });
  };

  const podsOf = async (name: string): Promise<readonly string[]> =>
    (await bed.kubectl(['get', 'pods', '-n', namespace, '-o', 'name']))
      .split('\n')
      .filter((line) => line.startsWith(`pod/${name}`))
      .map((line) => line.slice('pod/'.length));

  it.each([
    ['a pod of its own', 'plain', counter, []],
    ['a pod that a Deployment makes again', 'deployed', deployed, ['another one']],
  ] as const)(
    '%s is Ready, then gone, and its artifact goes on from the last word it ever said',
    async (_what, name, manifest, successors) => {
      await bed.apply(manifest(name));
      const pod = await bed.waitFor(
        'the counter to count',
        async () => {
          const [first] = await podsOf(name);
          if (first === undefined) return undefined;
          const log = await logsOf(bed, namespace, first).catch(() => '');
          return lastTick(log) === undefined ? undefined : first;
        },
        60_000,
      );
      // Read along: the log of a pod goes with it.
      const whole = bed.kubectl(['logs', '--follow', pod, '-n', namespace]);
      const extra = { afterCapture: 'Terminate' };
      await bed.apply(snapshotOf({ name, namespace, pod, extra }));
      const ended = await waitForEnd(bed, namespace, name, 120_000);
      expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status)).toBe(true);
      const terminated = await bed.waitFor(
        'the source to be terminated',
        async () => {
          const snapshot = await readSnapshot(bed, namespace, name);
          return snapshot?.status.sourceState === 'Terminated' ? snapshot : undefined;
        },
        30_000,
      );
      expect(terminated.status.freezeMilliseconds).toBeGreaterThan(0);
      const log = await whole;
      const last = lastTick(log);
      expect(log.match(/^warm/gm), log).toHaveLength(1);
      await bed.waitFor(
        'the pod to be gone',
        async () => ((await podsOf(name)).includes(pod) ? undefined : true),
        60_000,
      );
      if (successors.length > 0) {
        const another = async () => (await podsOf(name)).find((one) => one !== pod);
        await bed.waitFor('the Deployment to make another', another, 60_000);
      }

      const again = `${name}-again`;
      const wanted = { name: again, snapshot: name, nodeName: target };
      await bed.apply(placeholderOf(counter(name), wanted));
      await waitForRestored(bed, namespace, again);
      const next = await bed.waitFor(
        'the restored counter to print',
        async () => firstTick(await logsOf(bed, namespace, again)),
        30_000,
      );
      expect(next).toEqual({ token: last?.token, count: (last?.count ?? 0) + 1 });
      await bed.kubectl(['delete', 'pod', again, '-n', namespace, '--wait=false']);
    },
  );
});
