import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';
import { attachSharedBed, createNamespace, deleteNamespace } from '../e2e/cluster.ts';
import { placeholderOf, waitForRestored } from '../e2e/placeholder.ts';
import { captured, type Place, waitForWord } from '../e2e/self-checking.ts';
import { sourcePod } from '../e2e/workloads.ts';

/** Says OK for ever; each signal ends it in its own way. */
const program = `
trap 'echo "told to end"; sleep 1; echo ended; exit 0' TERM
trap 'exit 1' USR1
trap 'exit 143' USR2
n=0; while :; do n=$((n+1)); echo "OK $n token=abc"; sleep 0.2; done`;

describe.concurrent('the init of a placeholder stands for the restored process', () => {
  let bed: Bed;
  let namespace: string;
  let source: string;
  const place = (): Place => ({ bed, namespace, source: 'node-a', target: 'node-b' });
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'init');
    const command = ['sh', '-c', program];
    const nodeName = 'node-a';
    source = sourcePod({ name: 'source', namespace, image: busyboxImage, command, nodeName });
    await bed.apply(source);
    await waitForWord(place(), 'source', 1);
    await captured(place(), 'source');
    await bed.kubectl(['delete', 'pod', 'source', '-n', namespace, '--wait=false']);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const restore = async (name: string, nodeName: string): Promise<void> => {
    await bed.apply(placeholderOf(source, { name, snapshot: 'source', nodeName }));
    await waitForRestored(bed, namespace, name);
  };
  const exec = (pod: string, script: string): Promise<string> =>
    bed.kubectl(['exec', pod, '-n', namespace, '-c', 'main', '--', 'sh', '-c', script]);
  const ending = (pod: string): Promise<{ exitCode?: number | undefined }> =>
    bed.waitFor(
      `${pod} to end`,
      async () => {
        const text = await bed.kubectl(['get', 'pod', pod, '-n', namespace, '-o', 'json']);
        const parsed = parsePod(JSON.parse(text));
        if (!parsed.ok) throw new Error(parsed.message);
        return parsed.value.status.containerStatuses[0]?.state.terminated;
      },
      30_000,
    );

  it.each([
    ['1', 'USR1', 'node-a'],
    ['143', 'USR2', 'node-b'],
    ['0, when SIGTERM is handled', 'TERM', 'node-a'],
    ['137, when it is killed', 'KILL', 'node-b'],
  ])('its exit code is the container’s: %s', async (code, signal, nodeName) => {
    const pod = `ends-by-${signal.toLowerCase()}`;
    await restore(pod, nodeName);
    // What reaches PID 1 reaches the process; SIGKILL cannot be forwarded.
    const target = signal === 'KILL' ? '$(cat /snapshot-control/restored-pid)' : '1';
    await exec(pod, `kill -${signal} ${target}`);
    expect((await ending(pod)).exitCode).toBe(Number.parseInt(code, 10));
  });

  it('whoever is orphaned by kubectl exec is reaped when it ends', async () => {
    await restore('orphans', 'node-b');
    await exec(
      'orphans',
      'i=0; while [ $i -lt 50 ]; do i=$((i+1)); (sleep 0.3 >/dev/null 2>&1 </dev/null &); done',
    );
    const children = 'grep -l "^PPid:.1$" $(grep -l "^Name:.sleep" /proc/[0-9]*/status)';
    const gone = async () =>
      Number(await exec('orphans', `${children} 2>/dev/null | wc -l`)) === 0 || undefined;
    await bed.waitFor('all of them to be gone, also as zombies', gone, 20_000);
  });

  it('kubectl delete gives it the time to end that it has, and kubectl logs -f reads along to its last word', async () => {
    await restore('deleted', 'node-b');
    const whole = bed.kubectl(['logs', '--follow', 'deleted', '-n', namespace]);
    const started = performance.now();
    await bed.kubectl(['delete', 'pod', 'deleted', '-n', namespace, '--grace-period=20']);
    const seconds = (performance.now() - started) / 1000;
    const lines = (await whole).trim().split('\n');
    expect(lines.slice(-2)).toEqual(['told to end', 'ended']);
    expect(seconds).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(15);
  });
});
