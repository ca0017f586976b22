import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from './agent-pid.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readSnapshot,
  waitForEnd,
  waitForTick,
} from './cluster.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

const image = 'cryopod.dev/sample-counter:dev';

describe('bad input', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'bad-input');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  const startCounter = async (name: string, nodeName?: string): Promise<void> => {
    await bed.apply(
      sourcePod({
        name,
        namespace,
        image,
        environment: { MEMORY_MEBIBYTES: '16', KEEP_RUNNING: '1' },
        ...(nodeName === undefined ? {} : { nodeName }),
      }),
    );
    await waitForTick(bed, namespace, name);
  };

  const expectCounting = async (name: string): Promise<void> => {
    const before = lastTick(await logsOf(bed, namespace, name));
    await bed.waitFor(
      `${name} to count on`,
      async () => {
        const tick = lastTick(await logsOf(bed, namespace, name));
        return tick !== undefined && tick.count > (before?.count ?? 0) ? tick : undefined;
      },
      15_000,
    );
  };

  const failure = async (name: string): Promise<{ reason: string; message: string }> => {
    const ended = await waitForEnd(bed, namespace, name, 60_000);
    const failed = findCondition(ended.status.conditions, 'Failed');
    expect(failed?.status).toBe('True');
    return { reason: failed?.reason ?? '', message: failed?.message ?? '' };
  };

  it.each([
    [
      'PodSnapshot',
      snapshotOf({ name: 'no-containers', namespace: 'default', pod: 'x', containers: [] }),
      'containers',
    ],
    [
      'PodSnapshotContent',
      JSON.stringify({
        apiVersion: 'nvidia.com/v1alpha1',
        kind: 'PodSnapshotContent',
        metadata: { name: 'bad' },
        spec: { snapshotRef: { namespace: 'default' }, source: {} },
      }),
      'spec.snapshotRef.name',
    ],
    [
      'DynamoCheckpoint',
      JSON.stringify({
        apiVersion: 'nvidia.com/v1alpha1',
        kind: 'DynamoCheckpoint',
        metadata: { name: 'bad', namespace: 'default' },
        spec: { job: { activeDeadlineSeconds: 0 } },
      }),
      'podTemplateSpec',
    ],
  ])(
    'an invalid %s is refused by the API server and the message names the field',
    async (_kind, yaml, words) => {
      await expect(bed.apply(yaml)).rejects.toThrow(words);
    },
  );

  it('a container that does not exist fails with its name and touches nothing', async () => {
    await startCounter('wrong-container');
    await bed.apply(
      snapshotOf({
        name: 'wrong-container',
        namespace,
        pod: 'wrong-container',
        containers: ['nope'],
      }),
    );
    const { reason, message } = await failure('wrong-container');
    expect(reason).toBe('InvalidTargetContainer');
    expect(message).toContain('nope');
    await expectCounting('wrong-container');
  });

  it('a source pod that does not exist fails as SourcePodNotFound', async () => {
    await bed.apply(snapshotOf({ name: 'no-pod', namespace, pod: 'no-such-pod' }));
    expect((await failure('no-pod')).reason).toBe('SourcePodNotFound');
  });

  it('a pod deleted while its readiness is awaited fails as SourcePodGone', async () => {
    const never = { exec: { command: ['/bin/false'] } };
    const pod = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'never-ready', namespace },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'main',
            image: 'cryopod.dev/busybox:dev',
            imagePullPolicy: 'Never',
            command: ['sleep', '3600'],
            readinessProbe: { ...never, periodSeconds: 1 },
          },
        ],
      },
    });
    await bed.apply(pod);
    await bed.apply(snapshotOf({ name: 'never-ready', namespace, pod: 'never-ready' }));
    await bed.waitFor(
      'the snapshot to say that it waits',
      async () => {
        const snapshot = await readSnapshot(bed, namespace, 'never-ready');
        const progressing = findCondition(snapshot?.status.conditions ?? [], 'Progressing');
        return progressing?.reason === 'WaitingForPodReady' ? true : undefined;
      },
      30_000,
    );
    await bed.kubectl(['delete', 'pod', 'never-ready', '-n', namespace]);
    expect((await failure('never-ready')).reason).toBe('SourcePodGone');
  });

  it('an unusable criu fails with what criu is missing, and the source runs on', async () => {
    const node = bed.nodes[1] ?? '';
    await startCounter('no-criu', node);
    const agent = await maskCriu(bed, node);
    try {
      await bed.apply(snapshotOf({ name: 'no-criu', namespace, pod: 'no-criu' }));
      const { reason, message } = await failure('no-criu');
      expect(reason).toBe('PreflightFailed');
      expect(message).toMatch(/criu/i);
      await expectCounting('no-criu');
    } finally {
      await agent.unmask();
    }
  });

  it('a store that is read-only fails as StorageError, and the source runs on', async () => {
    const node = bed.nodes[0] ?? '';
    await startCounter('read-only', node);
    const remount = async (how: string): Promise<void> => {
      const agent = `pid=$(${findAgentPid}); nsenter -t $pid -m mount -o remount,bind,${how} /var/lib/cryopod-store`;
      const done = await bed.node(node).exec(['bash', '-c', agent]);
      expect(done.exitCode, done.stderr).toBe(0);
    };
    await remount('ro');
    try {
      await bed.apply(
        snapshotOf({
          name: 'read-only',
          namespace,
          pod: 'read-only',
          extra: { deadlineSeconds: 60 },
        }),
      );
      const { reason, message } = await failure('read-only');
      expect(reason).toBe('StorageError');
      expect(message).toMatch(/read-only/i);
      await expectCounting('read-only');
    } finally {
      await remount('rw');
    }
  });
});

/** Binds a program that always fails over the criu of a node's agent, in the agent's own mount namespace. */
async function maskCriu(bed: Bed, node: string): Promise<{ unmask(): Promise<void> }> {
  const inAgent = async (command: string): Promise<void> => {
    const script = `
      pid=$(${findAgentPid})
      criu=$(tr '\\0' '\\n' < /proc/$pid/environ | sed -n 's/^CRYOPOD_CRIU_PATH=//p')
      criu=\${criu:-/usr/sbin/criu}
      nsenter -t $pid -m ${command}`;
    const done = await bed.node(node).exec(['bash', '-c', script]);
    expect(done.exitCode, done.stderr).toBe(0);
  };
  await inAgent('mount --bind /bin/false $criu');
  return { unmask: () => inAgent('umount $criu') };
}
