import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';
import { findAgentPid } from '../e2e/agent-pid.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  readSnapshot,
  waitForEnd,
} from '../e2e/cluster.ts';
import { installObstacle, obstaclePod } from '../e2e/obstacles.ts';
import { snapshotOf } from '../e2e/workloads.ts';

const fixtures = { name: 'fixtures', mountPath: '/fixtures' };
const control = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
const complete = 'snapshot-complete';

describe('a workload that sets traps in its control directory', () => {
  let bed: Bed;
  let namespace: string;
  let node: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'hostile-control');
    node = bed.nodes[0] ?? '';
    await installObstacle(bed, node);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const inNode = async (script: string): Promise<string> =>
    (await bed.node(node).exec(['sh', '-c', script])).stdout.trim();

  /** A pod whose `main` runs `trap` first, and beside it what has the whole control volume before its eyes. */
  async function start(name: string, trap: string, beside: string): Promise<void> {
    const main = {
      name: 'main',
      ...{ image: busyboxImage, imagePullPolicy: 'Never' },
      command: ['sh', '-c', `${trap}; exec /fixtures/obstacle nothing`],
      volumeMounts: [fixtures, control],
    };
    const other = {
      name: 'beside',
      ...{ image: busyboxImage, imagePullPolicy: 'Never' },
      command: ['sh', '-c', `${beside}; touch /tmp/set; exec sleep 3600`],
      readinessProbe: { exec: { command: ['test', '-e', '/tmp/set'] }, periodSeconds: 1 },
      volumeMounts: [{ name: 'snapshot-control', mountPath: '/control' }],
    };
    const volumes = [
      { name: 'fixtures', hostPath: { path: '/opt/cryopod-fixtures', type: 'Directory' } },
      { name: 'snapshot-control', emptyDir: {} },
    ];
    const pod = { volumes, containers: [main, other] };
    await bed.apply(obstaclePod({ name, namespace, nodeName: node, words: [], pod }));
    const wait = ['wait', '--for=condition=Ready', '--timeout=60s', `pod/${name}`, '-n', namespace];
    await bed.kubectl(wait);
  }

  const ticks = async (name: string): Promise<number> => {
    const log = await bed.kubectl(['logs', name, '-c', 'main', '-n', namespace]);
    return Number([...log.matchAll(/^tick (\d+)$/gm)].at(-1)?.[1] ?? 0);
  };

  /** Captures it and waits until the agent has done all it does. */
  async function capture(name: string): Promise<void> {
    await bed.apply(snapshotOf({ name, namespace, pod: name }));
    const ended = await waitForEnd(bed, namespace, name, 120_000);
    expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status)).toBe(true);
    await bed.waitFor(
      `the agent to be done with ${name}`,
      async () => {
        const label = 'jsonpath={.metadata.labels.nvidia\\.com/snapshot-capture-eligible}';
        const said = await bed.kubectl(['get', 'pod', name, '-n', namespace, '-o', label]);
        return said === '' ? true : undefined;
      },
      30_000,
    );
    const before = await ticks(name);
    const further = async () => ((await ticks(name)) > before ? true : undefined);
    await bed.waitFor(`${name} to go on`, further, 30_000);
  }

  it('a link to the node’s files is not followed: an event says so, and the order ends', async () => {
    await start('link', 'true', 'rm -rf /control/main; ln -s /etc /control/main');
    await capture('link');
    const uid = (await readSnapshot(bed, namespace, 'link'))?.metadata.uid ?? '';
    const events = await bed.kubectl(['get', 'events', '-n', namespace, '-o', 'json']);
    expect(events).toContain(uid);
    expect(events).toMatch(new RegExp(`${complete} was not written: .*plain directories`));
    const agent = `for pid in 1 $(${findAgentPid}); do`;
    expect(await inNode(`${agent} ls /proc/$pid/root/etc/${complete}; done 2>/dev/null`)).toBe('');
  });

  it('a FIFO in place of the sentinel is replaced, and nobody waits at it', async () => {
    await start('fifo', `mkfifo /snapshot-control/${complete}`, 'true');
    await capture('fifo');
    const words = ['exec', 'fifo', '-c', 'main', '-n', namespace, '--'];
    const kind = ['stat', '-c', '%F', `/snapshot-control/${complete}`];
    expect(await bed.kubectl([...words, ...kind])).toMatch(/regular/);
  });

  it('a directory in place of the sentinel keeps the order from nothing', async () => {
    await start('directory', `mkdir -p /snapshot-control/${complete}/x`, 'true');
    await capture('directory');
  });
});
