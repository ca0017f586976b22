import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  type Tick,
  waitForEnd,
} from './cluster.ts';
import { pairCommands, pairSpec } from './pair.ts';
import { placeholderPod, snapshotOf } from './workloads.ts';

const names = pairSpec.containers.map(({ name }) => name);

describe('a pod of two containers, one of them without any privilege', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'restore-pair');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const logsOf = (pod: string, container: string): Promise<string> =>
    bed.kubectl(['logs', pod, '-c', container, '-n', namespace]).catch(() => '');
  /** The first tick of each container, once each has counted on for a while. */
  const play = (pod: string): Promise<readonly Tick[]> =>
    bed.waitFor(
      `both containers of ${pod} to play`,
      async () => {
        const logs = await Promise.all(names.map((name) => logsOf(pod, name)));
        const broken = logs.find((log) => log.includes('BROKEN'));
        if (broken !== undefined) throw new Error(broken);
        const firsts = logs.map(firstTick).filter((tick) => tick !== undefined);
        const on = logs.every(
          (log, index) => (lastTick(log)?.count ?? 0) >= (firsts[index]?.count ?? 0) + 20,
        );
        return firsts.length === names.length && on ? firsts : undefined;
      },
      60_000,
    );

  it('is restored as one on the other node: both play on from the instant of the freeze', async () => {
    const metadata = { name: 'pair', namespace };
    const containers = pairSpec.containers.map((container) => ({
      ...container,
      imagePullPolicy: 'Never',
      command: ['sh', '-c', pairCommands[container.name]],
    }));
    const { volumes } = pairSpec;
    const rest = { nodeName: 'node-a', terminationGracePeriodSeconds: 1, restartPolicy: 'Never' };
    const spec = { ...rest, volumes, containers };
    await bed.apply(stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec }));
    const before = await play('pair');
    await bed.apply(snapshotOf({ name: 'pair', namespace, pod: 'pair', containers: names }));
    const { status } = await waitForEnd(bed, namespace, 'pair', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    await bed.kubectl(['delete', 'pod', 'pair', '-n', namespace]);

    const wanted = { name: 'again', namespace, snapshot: 'pair', nodeName: 'node-b' };
    await bed.apply(placeholderPod({ ...wanted, volumes, containers: pairSpec.containers }));
    const wait = ['wait', 'pod/again', '-n', namespace, '--for=condition=Ready', '--timeout=60s'];
    await bed.kubectl(wait);
    const after = await play('again');
    expect(after.map(({ token }) => token)).toEqual(before.map(({ token }) => token));
    for (const [index, tick] of after.entries()) {
      expect(tick.count).toBeGreaterThan(before[index]?.count ?? 0);
    }
    // What was read-only for the workload is so again, whatever the restore had to write.
    const mounts = await bed.kubectl([
      ...['exec', 'again', '-c', 'serve', '-n', namespace, '--', 'sh', '-c'],
      'cat /proc/$(cat /snapshot-control/restored-pid)/mountinfo',
    ]);
    expect(mounts.split('\n').find((line) => line.split(' ')[4] === '/')).toMatch(/ \/ ro[, ]/);
    const told = await bed.kubectl([
      ...['exec', 'again', '-c', 'answer', '-n', namespace, '--', 'sh', '-c'],
      'cat /tmp/own; ls /bin/nc 2>/dev/null || echo gone; hostname; stat -c "%h %s" /tmp/twin; stat -c "%s %b" /tmp/sparse',
    ]);
    expect(told.trim().split('\n')).toEqual(['mine', 'gone', 'again', '2 5', '1000000000 0']);
  });
});
