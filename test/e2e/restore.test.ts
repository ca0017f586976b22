import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  logsOf,
  type Tick,
  waitForEnd,
  waitForTick,
} from './cluster.ts';
import { placeholderPod, snapshotOf, sourcePod } from './workloads.ts';

const image = 'cryopod.dev/sample-counter:dev';

describe('a pod annotated with a snapshot', () => {
  let bed: Bed;
  let namespace: string;
  /** What the source printed last before it was captured, and then deleted. */
  let captured: Tick;

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'restore');
    const environment = { MEMORY_MEBIBYTES: '64', KEEP_RUNNING: '1' };
    const name = 'source';
    await bed.apply(sourcePod({ name, namespace, image, environment, nodeName: 'node-a' }));
    await waitForTick(bed, namespace, name);
    await bed.apply(snapshotOf({ name: 'snapshot', namespace, pod: name }));
    const { status } = await waitForEnd(bed, namespace, 'snapshot', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const tick = lastTick(await logsOf(bed, namespace, name));
    if (tick === undefined) throw new Error('the source is silent');
    captured = tick;
    await bed.kubectl(['delete', 'pod', name, '-n', namespace]);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const read = async (pod: string) => {
    const text = await bed.kubectl(['get', 'pod', pod, '-n', namespace, '-o', 'json']);
    const parsed = parsePod(JSON.parse(text));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const restoredOf = async (pod: string): Promise<string> => {
    const { status } = await read(pod);
    const found = status.conditions.find(({ type }) => type === 'nvidia.com/Restored');
    return `${found?.status}/${found?.reason}: ${found?.message}`;
  };
  const waitForRestored = (pod: string, wanted: RegExp): Promise<string> => {
    let last = '';
    return bed.waitFor(
      `${pod} to say ${wanted}`,
      async () => {
        last = await restoredOf(pod);
        return wanted.test(last) ? last : undefined;
      },
      60_000,
    );
  };
  const exec = (pod: string, command: readonly string[]): Promise<string> =>
    bed.kubectl(['exec', pod, '-n', namespace, '-c', 'main', '--', ...command]);
  const endRoot = async (pod: string, signal: string): Promise<void> => {
    const pid = await exec(pod, ['cat', '/snapshot-control/restored-pid']);
    await exec(pod, ['busybox', 'kill', `-${signal}`, pid.trim()]);
  };
  const placeholder = (
    name: string,
    change: {
      readonly snapshot?: string;
      readonly restartPolicy?: string;
      readonly nodeName?: string;
    } = {},
  ): Promise<void> => {
    const wanted = { name, namespace, snapshot: 'snapshot', nodeName: 'node-b', ...change };
    return bed.apply(placeholderPod({ ...wanted, containers: [{ name: 'main', image }] }));
  };

  it('counts on from the captured number on the other node, under its own name, and is Ready only then', async () => {
    await placeholder('again');
    await bed.kubectl([
      'wait',
      'pod/again',
      '-n',
      namespace,
      '--for=condition=Ready',
      '--timeout=60s',
    ]);
    expect(await restoredOf('again')).toMatch(/^True\/RestoreSucceeded: .* restored in/);
    const first = await bed.waitFor(
      'the restored counter to print',
      async () => firstTick(await logsOf(bed, namespace, 'again')),
      30_000,
    );
    expect(first.token).toBe(captured.token);
    expect(first.count).toBeGreaterThan(0);
    expect(first.count).toBeLessThanOrEqual(captured.count + 1);
    expect((await exec('again', ['busybox', 'hostname'])).trim()).toBe('again');
    // Nothing of the agent's is mounted where the workload could see it.
    expect(await exec('again', ['cat', '/proc/1/mountinfo'])).not.toMatch(/bundle|images/);
  });

  it('is captured again, deleted, and restored again on the first node, and still counts on', async () => {
    await bed.apply(snapshotOf({ name: 'second', namespace, pod: 'again' }));
    const { status } = await waitForEnd(bed, namespace, 'second', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const log = await logsOf(bed, namespace, 'again');
    const [begun, before] = [firstTick(log), lastTick(log)];
    await placeholder('third', { snapshot: 'second', nodeName: 'node-a' });
    await waitForRestored('third', /^True/);
    const first = await waitForTick(bed, namespace, 'third');
    expect(first.token).toBe(captured.token);
    // The source had counted on after its capture, and so says nothing of when this one begins.
    expect(first.count).toBeGreaterThan(begun?.count ?? 0);
    expect(first.count).toBeLessThanOrEqual((before?.count ?? 0) + 2);
    await bed.kubectl(['delete', 'pod', 'third', '-n', namespace]);
  });

  it('ends with the exit code of the restored process', async () => {
    await endRoot('again', 'KILL');
    const status = await bed.waitFor(
      'the container to end',
      async () => (await read('again')).status.containerStatuses[0]?.state.terminated,
      30_000,
    );
    expect(status.exitCode).toBe(137);
  });

  it('that is restarted by the kubelet is restored again', async () => {
    await placeholder('steady', { restartPolicy: 'Always' });
    await waitForRestored('steady', /^True/);
    await endRoot('steady', 'KILL');
    await bed.waitFor(
      'the second container to run',
      async () =>
        (await read('steady')).status.containerStatuses[0]?.restartCount === 1 ? true : undefined,
      60_000,
    );
    await bed.kubectl([
      'wait',
      'pod/steady',
      '-n',
      namespace,
      '--for=condition=Ready',
      '--timeout=60s',
    ]);
    const first = await waitForTick(bed, namespace, 'steady');
    expect(first.token).toBe(captured.token);
    await bed.kubectl(['delete', 'pod', 'steady', '-n', namespace]);
  });

  it('and no placeholder is left alone, and says what it lacks', async () => {
    // Where no webhook makes one of it.
    const system = 'cryopod-system';
    const container = { name: 'main', image, command: ['/bin/counter'] };
    const wanted = { name: 'plain', namespace: system, snapshot: 'snapshot', nodeName: 'node-b' };
    await bed.apply(placeholderPod({ ...wanted, containers: [container] }));
    try {
      const tick = await waitForTick(bed, system, 'plain');
      expect(tick.token).not.toBe(captured.token);
      const of = (type: string, field: string): Promise<string> => {
        const path = `jsonpath={.status.conditions[?(@.type=="${type}")].${field}}`;
        return bed.kubectl(['get', 'pod', 'plain', '-n', system, '-o', path]);
      };
      const said = await bed.waitFor(
        'plain to be told what it lacks',
        async () => (await of('nvidia.com/Restored', 'message')) || undefined,
        60_000,
      );
      expect(said).toContain('container main does not run /snapshot-control/init');
      expect(await of('nvidia.com/Restored', 'reason')).toBe('RestoreIncompatible');
      expect(await of('Ready', 'status')).toBe('False');
    } finally {
      await bed.kubectl(['delete', 'pod', 'plain', '-n', system]);
    }
  });

  it('says when its snapshot does not exist', async () => {
    await placeholder('orphan', { snapshot: 'nowhere' });
    const said = await waitForRestored('orphan', /^False\/RestoreIncompatible/);
    expect(said).toContain('PodSnapshot nowhere does not exist');
  });
});
