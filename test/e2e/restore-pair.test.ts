import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { readCaptured } from './captured-file.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  readContent,
  type Tick,
  waitForEnd,
} from './cluster.ts';
import { pairContainers, pairPod } from './pair.ts';
import { placeholderOf } from './placeholder.ts';
import { snapshotOf } from './workloads.ts';

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
        const logs = await Promise.all(pairContainers.map((name) => logsOf(pod, name)));
        const broken = logs.find((log) => log.includes('BROKEN'));
        if (broken !== undefined) throw new Error(broken);
        const firsts = logs.map(firstTick).filter((tick) => tick !== undefined);
        const on = logs.every(
          (log, index) => (lastTick(log)?.count ?? 0) >= (firsts[index]?.count ?? 0) + 20,
        );
        return firsts.length === pairContainers.length && on ? firsts : undefined;
      },
      60_000,
    );

  it('is captured in one freeze and restored as one on the other node: both play on from that instant', async () => {
    const source = pairPod({ name: 'pair', namespace, nodeName: 'node-a' });
    await bed.apply(source);
    const before = await play('pair');
    const containers = pairContainers;
    await bed.apply(snapshotOf({ name: 'pair', namespace, pod: 'pair', containers }));
    const { status, metadata } = await waitForEnd(bed, namespace, 'pair', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const since = lastTick(await logsOf('pair', 'serve'))?.count ?? 0;
    const more = async () =>
      (lastTick(await logsOf('pair', 'serve'))?.count ?? 0) > since || undefined;
    await bed.waitFor('the source to play on', more, 30_000);
    await bed.kubectl(['delete', 'pod', 'pair', '-n', namespace]);

    const wanted = { name: 'again', snapshot: 'pair', nodeName: 'node-b' };
    await bed.apply(placeholderOf(source, wanted));
    const wait = ['wait', 'pod/again', '-n', namespace, '--for=condition=Ready', '--timeout=60s'];
    await bed.kubectl(wait);
    const after = await play('again');
    expect(after.map(({ token }) => token)).toEqual(before.map(({ token }) => token));
    const contentUID = (await readContent(bed, metadata.uid))?.metadata.uid ?? '';
    const balls = [
      ['data', 'ball'],
      ['fast', 'answers/ball'],
    ] as const;
    for (const [index, [volume, file]] of balls.entries()) {
      const tar = `volumes/${volume}.tar`;
      const captured = Number(await readCaptured(bed, { namespace, contentUID }, tar, file));
      expect(captured).toBeGreaterThanOrEqual(before[index]?.count ?? 0);
      // The first tick that is printed is the next ten after what was on file.
      expect((after[index]?.count ?? 0) - captured).toBeLessThanOrEqual(10);
      expect((after[index]?.count ?? 0) - captured).toBeGreaterThanOrEqual(0);
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
