import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from '../e2e/agent-pid.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readContent,
  readSnapshot,
  waitForEnd,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

const node = 'node-a';
const memoryMebibytes = 256;
const signal = AbortSignal.timeout(1_800_000);

/**
 * When the agent is killed: at any moment of the freeze and the publish, or so long after the artifact has got its name in the store, which
 * is when the hold is committed, Ready written, the pod deleted and the source ended.
 */
const moments = [
  ...Array.from({ length: 6 }, () => ({ after: 'the start', withinMs: 6000 })),
  ...Array.from({ length: 10 }, () => ({ after: 'the reference', withinMs: 250 })),
] as const;

describe('kill -9 of the agent at random moments of a capture that ends its source', () => {
  let bed: Bed;
  let namespace: string;
  let scratch: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'terminate-kill');
    scratch = await mkdtemp(join(tmpdir(), 'terminate-kill-'));
  });
  afterAll(async () => {
    await rm(scratch, { recursive: true, force: true });
    await deleteNamespace(bed, namespace);
  });

  const inNode = async (script: string): Promise<string> => {
    const result = await bed.node(node).exec(['bash', '-c', script], { timeoutMs: 240_000 });
    expect(result.exitCode, result.stderr).toBe(0);
    return result.stdout.trim();
  };

  const agentPod = async (): Promise<{ name: string; ready: boolean } | undefined> => {
    const path = '{.items[*].metadata.name} {.items[*].status.containerStatuses[0].ready}';
    const found = [
      'get',
      'pods',
      '-n',
      'cryopod-system',
      '-l',
      'app.kubernetes.io/component=agent',
    ];
    const where = ['--field-selector', `spec.nodeName=${node}`, '-o', `jsonpath=${path}`];
    const words = (await bed.kubectl([...found, ...where])).trim().split(' ');
    return words.length === 2 ? { name: words[0] ?? '', ready: words[1] === 'true' } : undefined;
  };

  /** A pod of its own for every round: one that was ended does not come again. */
  const start = async (name: string): Promise<void> => {
    const environment = {
      MEMORY_MEBIBYTES: String(memoryMebibytes),
      KEEP_RUNNING: '1',
      TICK_MILLISECONDS: '50',
    };
    const image = 'cryopod.dev/sample-counter:dev';
    await bed.apply(sourcePod({ name, namespace, image, nodeName: node, environment }));
    await bed.waitFor(
      'the counter to count',
      async () => lastTick(await logsOf(bed, namespace, name).catch(() => '')),
      120_000,
    );
  };

  /** Kills the agent at the moment, and has its pod replaced, so that no back-off of the kubelet is waited for. */
  const kill = async (moment: (typeof moments)[number], contentUID: string): Promise<number> => {
    const waitMs = Math.round(Math.random() * moment.withinMs);
    const reference = `[ -e /var/lib/cryopod-store/snapshots/${namespace}/${contentUID}.json ]`;
    const seen = moment.after === 'the start' ? 'true' : reference;
    const agent = (await agentPod())?.name ?? '';
    await inNode(
      `pid=$(${findAgentPid}); until ${seen}; do sleep 0.01; done; sleep ${waitMs / 1000}; kill -9 $pid`,
    );
    const gone = ['delete', 'pod', agent, '-n', 'cryopod-system', '--force', '--grace-period=0'];
    await bed.kubectl(gone);
    return waitMs;
  };

  const contentOf = (snapshot: PodSnapshot) =>
    bed.waitFor('the content', () => readContent(bed, snapshot.metadata.uid), 30_000);

  /** The number that the counter had last written into its file when it was captured. */
  const capturedNumber = async (contentUID: string): Promise<number> => {
    const store = dirStore(join(bed.node(node).rootPath, 'var/lib/cryopod-store'));
    const directory = join(scratch, contentUID);
    await extractArtifact(store, { namespace, contentUID }, directory, signal);
    const layer = join(directory, 'containers/main/rootfs.tar');
    const file = ['--wildcards', '-xOf', layer, '*var/lib/counter/state'];
    const { stdout } = await execa('tar', file);
    await rm(directory, { recursive: true, force: true });
    return Number(stdout);
  };

  it('ends the source only with its artifact Ready, at its last word; otherwise it counts on', async () => {
    const ends: string[] = [];
    for (const [round, moment] of moments.entries()) {
      const name = `kill-${round}`;
      await bed.waitFor(
        `the agent of ${node} to be Ready`,
        async () => ((await agentPod())?.ready === true ? true : undefined),
        120_000,
      );
      await start(name);
      const whole = bed.kubectl(['logs', '--follow', name, '-n', namespace]).catch(String);
      const extra = { afterCapture: 'Terminate' };
      await bed.apply(snapshotOf({ name, namespace, pod: name, extra }));
      const snapshot = await bed.waitFor(
        'the snapshot to be bound',
        async () => {
          const found = await readSnapshot(bed, namespace, name);
          return found?.status.boundSnapshotContentName === undefined ? undefined : found;
        },
        30_000,
      );
      const { uid } = (await contentOf(snapshot)).metadata;
      const waitMs = await kill(moment, uid);
      const ended = await waitForEnd(bed, namespace, name, 300_000);
      const { conditions } = ended.status;
      if (isTrue(conditions, 'Ready')) {
        await bed.waitFor(
          'the source to be terminated',
          async () =>
            (await readSnapshot(bed, namespace, name))?.status.sourceState === 'Terminated' ||
            undefined,
          120_000,
        );
        const last = lastTick(await whole)?.count ?? 0;
        const captured = await capturedNumber(uid);
        // It writes the number just before it prints it.
        expect([last, last + 1], name).toContain(captured);
        await bed.kubectl([
          'wait',
          '--for=delete',
          `pod/${name}`,
          '-n',
          namespace,
          '--timeout=60s',
        ]);
      } else {
        const { count } = lastTick(await logsOf(bed, namespace, name)) ?? { count: 0 };
        await bed.waitFor(
          'the source to count on',
          async () =>
            (lastTick(await logsOf(bed, namespace, name))?.count ?? 0) > count + 2 || undefined,
          30_000,
        );
        const found = await inNode(`find /var/lib/cryopod-store/snapshots -name '${uid}*'`);
        expect(found).toBe('');
      }
      const { attempts, freezeMilliseconds, sourceState } =
        (await readSnapshot(bed, namespace, name))?.status ?? {};
      const reason = findCondition(conditions, 'Ready')?.reason;
      ends.push(
        `${name}: killed ${waitMs} ms after ${moment.after}: ${reason}, ${sourceState}, attempts ${attempts}, frozen ${freezeMilliseconds} ms`,
      );
      await bed.kubectl(['delete', 'pod,podsnapshot', name, '-n', namespace, '--ignore-not-found']);
    }
    console.log(ends.join('\n'));
    expect(await inNode('find /var/lib/cryopod/staging -mindepth 1')).toBe('');
    expect(await inNode('find /sys/fs/cgroup -path "*/cryopod/criu-*" -type d')).toBe('');
  }, 2_400_000);
});
