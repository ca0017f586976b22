import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  readContent,
  waitForEnd,
} from './cluster.ts';
import { pairCommands as commands, pairSpec as spec } from './pair.ts';
import { endRun, type RunAgain, readCapturedVolume, runAgain } from './run-again.ts';
import { snapshotOf } from './workloads.ts';

describe('a pod of two containers that share emptyDirs', () => {
  let bed: Bed;
  let namespace: string;
  const [source, target] = ['node-a', 'node-b'];
  const logsOf = (pod: string, container: string): Promise<string> =>
    bed.kubectl(['logs', pod, '-c', container, '-n', namespace]).catch(() => '');

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'whole-pod');
    await bed.apply(
      stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pair', namespace },
        spec: {
          ...spec,
          nodeName: source,
          terminationGracePeriodSeconds: 1,
          restartPolicy: 'Never',
          containers: spec.containers.map((container) => ({
            ...container,
            imagePullPolicy: 'Never',
            command: ['sh', '-c', commands[container.name]],
          })),
        },
      }),
    );
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('is captured in one freeze, and both run again from the artifact alone, cut through at one instant', async () => {
    const before = await bed.waitFor(
      'both to play',
      async () => {
        const ticks = [
          lastTick(await logsOf('pair', 'serve')),
          lastTick(await logsOf('pair', 'answer')),
        ] as const;
        return ticks[0] !== undefined && ticks[1] !== undefined ? ticks : undefined;
      },
      60_000,
    );
    const containers = spec.containers.map(({ name }) => name);
    await bed.apply(snapshotOf({ name: 'pair', namespace, pod: 'pair', containers }));
    const ended = await waitForEnd(bed, namespace, 'pair', 60_000);
    const { conditions } = ended.status;
    expect(isTrue(conditions, 'Ready'), JSON.stringify(conditions)).toBe(true);
    const after = lastTick(await logsOf('pair', 'serve'));
    await bed.waitFor(
      'the source to play on',
      async () => {
        const now = lastTick(await logsOf('pair', 'serve'));
        return (now?.count ?? 0) > (after?.count ?? 0) ? true : undefined;
      },
      30_000,
    );
    const content = await readContent(bed, ended.metadata.uid);
    const artifact = { namespace, contentUID: content?.metadata.uid ?? '' };
    await bed.kubectl(['delete', 'pod', 'pair', '-n', namespace]);

    const run: RunAgain = { bed, node: target, namespace, podName: 'pair-again', spec, artifact };
    await runAgain(run);
    for (const [index, container] of containers.entries()) {
      const tick = await bed.waitFor(
        `${container} to play on`,
        async () => {
          const log = await logsOf('pair-again', container);
          const [first, last] = [firstTick(log), lastTick(log)];
          if (first === undefined || last === undefined) return undefined;
          return last.count >= first.count + 20 ? first : undefined;
        },
        60_000,
      );
      expect(tick.token).toBe(before[index]?.token);
      expect(await logsOf('pair-again', container)).not.toContain('BROKEN');
      const file = container === 'serve' ? ['data', 'ball'] : ['fast', 'answers/ball'];
      const captured = Number(await readCapturedVolume(run, file[0] ?? '', file[1] ?? ''));
      expect(captured).toBeGreaterThanOrEqual(before[index]?.count ?? 0);
      // The first tick that is printed is the next ten after what was on file.
      expect(tick.count - captured).toBeLessThanOrEqual(10);
      expect(tick.count - captured).toBeGreaterThanOrEqual(0);
    }
    const told = await bed.kubectl([
      ...['exec', 'pair-again', '-c', 'answer', '-n', namespace, '--', 'sh', '-c'],
      'cat /tmp/own; ls /bin/nc 2>/dev/null || echo gone; hostname; stat -c "%h %s" /tmp/twin; stat -c "%s %b" /tmp/sparse',
    ]);
    expect(told.trim().split('\n')).toEqual(['mine', 'gone', 'pair', '2 5', '1000000000 0']);
    await endRun(run);
  });
});
