import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readSnapshot,
  waitForEnd,
} from '../e2e/cluster.ts';
import { snapshotOf } from '../e2e/workloads.ts';

const counter = 'cryopod.dev/sample-counter:dev';
const node = 'node-a';

/** What may become of a source while it is waited for or dumped; the snapshot says exactly that, and nothing of anybody else is captured. */
describe('a snapshot whose source', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'source-faults');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  type Container = Readonly<Record<string, unknown>>;
  const apply = (name: string, restartPolicy: string, container: Container): Promise<void> =>
    bed.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace },
        spec: {
          ...{ nodeName: node, terminationGracePeriodSeconds: 1, restartPolicy },
          containers: [{ name: 'main', image: counter, imagePullPolicy: 'Never', ...container }],
        },
      }),
    );
  const never = { exec: { command: ['cat', '/never'] }, periodSeconds: 1 };
  const env = (values: Readonly<Record<string, string>>): readonly object[] =>
    Object.entries({ KEEP_RUNNING: '1', ...values }).map(([name, value]) => ({ name, value }));
  const ticks = (name: string): Promise<true> =>
    bed.waitFor(
      `${name} to count`,
      async () =>
        lastTick(await logsOf(bed, namespace, name).catch(() => '')) === undefined
          ? undefined
          : true,
      120_000,
    );
  const field = async (name: string, path: string): Promise<string> =>
    (await bed.kubectl(['get', 'pod', name, '-n', namespace, '-o', `jsonpath=${path}`])).trim();
  const containerID = (name: string): Promise<string> =>
    field(name, '{.status.containerStatuses[0].containerID}');
  const uidOf = (name: string): Promise<string> => field(name, '{.metadata.uid}');

  /** Kills the container's first process, in the node; `once`: a shell condition that is waited for with the eyes open. */
  const killRoot = async (name: string, once: string): Promise<void> => {
    const id = (await containerID(name)).replace('containerd://', '');
    const find = `pid=$(grep -lE ${id} /proc/[0-9]*/cgroup | cut -d/ -f3 | head -1)`;
    const wait = `end=$((SECONDS+120)); until ${once}; do [ $SECONDS -lt $end ] || exit 9; done`;
    const killed = await bed.node(node).exec(['bash', '-c', `${find}; ${wait}; kill -9 $pid`]);
    expect(killed.exitCode, killed.stderr).toBe(0);
  };
  /** True once CRIU has written memory of exactly this container's process. */
  const midDump =
    'compgen -G "/var/lib/cryopod/staging/*/containers/main/criu/pages-*.img" >/dev/null && grep -q "^TracerPid:.*[1-9]" /proc/$pid/status';

  const waits = (name: string): Promise<true> =>
    bed.waitFor(
      `snapshot ${name} to wait for its pod`,
      async () => {
        const snapshot = await readSnapshot(bed, namespace, name);
        const progressing = findCondition(snapshot?.status.conditions ?? [], 'Progressing');
        return progressing?.reason === 'WaitingForPodReady' ? true : undefined;
      },
      60_000,
    );
  const expectFailure = async (
    name: string,
    reason: string | RegExp,
    message: RegExp,
  ): Promise<PodSnapshot> => {
    const ended = await waitForEnd(bed, namespace, name, 120_000);
    expect(
      findCondition(ended.status.conditions, 'Failed'),
      JSON.stringify(ended.status),
    ).toMatchObject({
      status: 'True',
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
      message: expect.stringMatching(message),
    });
    expect(ended.status.artifact).toBeUndefined();
    return ended;
  };

  it.concurrent('is deleted while it is waited for', async () => {
    await apply('deleted', 'Never', { env: env({ MEMORY_MEBIBYTES: '1' }), readinessProbe: never });
    await ticks('deleted');
    await bed.apply(snapshotOf({ name: 'deleted', namespace, pod: 'deleted' }));
    await waits('deleted');
    await bed.kubectl(['delete', 'pod', 'deleted', '-n', namespace, '--wait=false']);
    await expectFailure('deleted', 'SourcePodGone', /deleted/);
  });

  it.concurrent('is replaced by another of the same name', async () => {
    const container = { env: env({ MEMORY_MEBIBYTES: '1' }), readinessProbe: never };
    await apply('replaced', 'Never', container);
    await ticks('replaced');
    const first = await uidOf('replaced');
    await bed.apply(snapshotOf({ name: 'replaced', namespace, pod: 'replaced' }));
    await waits('replaced');
    await bed.kubectl(['delete', 'pod', 'replaced', '-n', namespace, '--now']);
    await apply('replaced', 'Never', { env: env({ MEMORY_MEBIBYTES: '1' }) });
    await expectFailure('replaced', 'SourcePodGone', /deleted/);
    // A second snapshot that names the first pod by UID is not served with the second one.
    await ticks('replaced');
    const source = { podRef: { name: 'replaced', uid: first, containers: ['main'] } };
    await bed.apply(snapshotOf({ name: 'stale', namespace, pod: 'replaced', extra: { source } }));
    await expectFailure('stale', 'StalePodReference', new RegExp(first));
  });

  it.concurrent('has its container restarted while it is waited for', async () => {
    await apply('restarted', 'Always', {
      env: env({ MEMORY_MEBIBYTES: '1' }),
      readinessProbe: never,
    });
    await ticks('restarted');
    await bed.apply(snapshotOf({ name: 'restarted', namespace, pod: 'restarted' }));
    await waits('restarted');
    await killRoot('restarted', 'true');
    // Which of the two the agent sees first is the kubelet's affair.
    const { status } = await waitForEnd(bed, namespace, 'restarted', 60_000);
    const failed = findCondition(status.conditions, 'Failed');
    expect(`${failed?.reason}: ${failed?.message}`).toMatch(
      /^(CheckpointContainerFailed: .* exit code 137|ContainerChanged: .* (restarted|now, the order saw))/,
    );
    expect(status.sourceState).toBe('Untouched');
  });

  it.concurrent('runs out of memory while it is waited for', async () => {
    await apply('oom', 'Never', {
      command: ['sh', '-c', 'sleep 8; exec busybox dd if=/dev/zero of=/dev/null bs=200M'],
      readinessProbe: never,
      resources: { limits: { memory: '32Mi' } },
    });
    await bed.waitFor('oom to run', async () => (await containerID('oom')) || undefined, 60_000);
    await bed.apply(snapshotOf({ name: 'oom', namespace, pod: 'oom' }));
    await expectFailure('oom', 'CheckpointContainerFailed', /exit code 137 \(OOMKilled\)/);
  });

  // Whether the agent sees a container that ended or the one after it is the kubelet's affair.
  const midDumpKills: readonly (readonly [string, string, RegExp, RegExp])[] = [
    ['ends', 'Never', /^CheckpointContainerFailed$/, /exit code 137/],
    [
      'restarts',
      'Always',
      /^(CheckpointContainerFailed|ContainerChanged)$/,
      /exit code 137|restarted|is .* now/,
    ],
  ];
  it.concurrent.each(midDumpKills)(
    'is killed in the middle of its dump and %s',
    async (name, restartPolicy, reason, message) => {
      await apply(name, restartPolicy, { env: env({ MEMORY_MEBIBYTES: '1024' }) });
      await ticks(name);
      const kill = killRoot(name, midDump);
      await bed.apply(snapshotOf({ name, namespace, pod: name }));
      await kill;
      await expectFailure(name, reason, message);
    },
  );

  it('leaves nothing of itself in staging or store', async () => {
    const root = bed.node(node).rootPath;
    await bed.waitFor(
      'staging to be empty',
      async () =>
        (await readdir(join(root, 'var/lib/cryopod/staging'))).length === 0 ? true : undefined,
      120_000,
    );
    expect(
      await readdir(join(root, 'var/lib/cryopod-store/snapshots', namespace)).catch(() => []),
    ).toEqual([]);
  });
});
