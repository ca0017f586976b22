import { statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { quantile } from '../bench/figures.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  logsOf,
  type Tick,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';
import { type AgentOnNode, agentOnNode } from './agent-node.ts';
import {
  cacheDirectory,
  controlDirectoryOf,
  counterImage,
  type RestoredPods,
  restoredPods,
} from './restored-pods.ts';

const nodes = ['node-a', 'node-b'] as const;
const atOnce = 16;
const inARow = 45;

describe('many restores of one snapshot', () => {
  let bed: Bed;
  let namespace: string;
  let pods: RestoredPods;
  let agents: readonly AgentOnNode[];
  let captured: Tick;

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'restore-many');
    pods = restoredPods(bed, namespace);
    agents = nodes.map((node) => agentOnNode(bed, node));
    for (const agent of agents) await agent.ready();
    const environment = { MEMORY_MEBIBYTES: '16', KEEP_RUNNING: '1', TICK_MILLISECONDS: '200' };
    const source = { name: 'source', namespace, image: counterImage, environment };
    await bed.apply(sourcePod({ ...source, nodeName: 'node-a' }));
    captured = await waitForTick(bed, namespace, 'source');
    await bed.apply(snapshotOf({ name: 'snapshot', namespace, pod: 'source' }));
    const { status } = await waitForEnd(bed, namespace, 'snapshot', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    await bed.kubectl(['delete', 'pod', 'source', '-n', namespace]);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  /** Names of the unfinished directories that appear in the cache of a node: one a fetch. */
  const watchFetches = async (node: string) => {
    await agentOnNode(bed, node).script(`mkdir -p -m 700 ${cacheDirectory}`);
    const seen = new Set<string>();
    const watcher = watch(join(bed.node(node).rootPath, cacheDirectory), (_, name) => {
      if (name?.startsWith('.sha256')) seen.add(name);
    });
    return { seen, end: () => watcher.close() };
  };

  it('at once on two nodes: all go on from it, and each node has fetched it once', async () => {
    const watches = await Promise.all(nodes.map(watchFetches));
    const names = Array.from({ length: atOnce }, (_, index) => `once-${index}`);
    const created = await Promise.all(
      names.map((name, index) =>
        pods.create(name, { snapshot: 'snapshot', nodeName: nodes[index % 2] ?? 'node-a' }),
      ),
    );
    for (const name of names) await pods.says(name, /^True\/RestoreSucceeded/, 120_000);
    for (const { seen, end } of watches) {
      end();
      expect([...seen]).toHaveLength(1);
    }
    for (const name of names) {
      const tick = await bed.waitFor(
        `${name} to count`,
        async () => firstTick(await logsOf(bed, namespace, name)),
        30_000,
      );
      expect(tick.token).toBe(captured.token);
    }
    for (const [index, pod] of created.entries()) {
      await pods.remove(pod, agents[index % 2] ?? agentOnNode(bed, 'node-a'));
    }
  });

  it('one after another: the last are as quick as the first, and the agent grows by nothing', async () => {
    const node = 'node-b';
    const agent = agentOnNode(bed, node);
    const resident = async (): Promise<number> => {
      const text = await agent.script(`grep VmRSS /proc/$(agent)/status`);
      return Number(/(\d+) kB/.exec(text)?.[1]) / 1024;
    };
    const took: number[] = [];
    const memory: number[] = [];
    for (let index = 0; index < inARow; index += 1) {
      const pod = await pods.create(`row-${index}`, { snapshot: 'snapshot', nodeName: node });
      await pods.says(pod.metadata.name, /^True\/RestoreSucceeded/, 60_000);
      const at = (file: string): number =>
        statSync(join(bed.node(node).rootPath, controlDirectoryOf(pod.metadata.uid), file)).mtimeMs;
      took.push(at('restore-complete') - at('placeholder-waiting'));
      memory.push(await resident());
      const delete_ = ['delete', 'pod', pod.metadata.name, '-n', namespace, '--wait=false'];
      await bed.kubectl(delete_);
    }
    const [first, last] = [took.slice(0, 10), took.slice(-10)];
    const [early, late] = [memory.slice(0, 10), memory.slice(-10)];
    console.log(
      `first ten: ${first.map(Math.round).join(' ')} ms; last ten: ${last.map(Math.round).join(' ')} ms; resident ${early.map(Math.round).join(' ')}, then ${late.map(Math.round).join(' ')} MiB`,
    );
    expect(quantile(last, 0.5)).toBeLessThan(quantile(first, 0.5) * 1.5 + 50);
    expect(quantile(late, 0.5)).toBeLessThan(quantile(early, 0.5) + 32);
    await bed.waitFor(
      'the work directory to be empty',
      async () =>
        (await agent.script('ls /var/lib/cryopod/restore/work')).trim() === '' ? true : undefined,
      30_000,
    );
  });
});
