import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readSnapshot,
  type Tick,
  waitForEnd,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';
import { agentOnNode } from './agent-node.ts';

const node = 'node-a';
/** At this rate the publish takes 12 s on any machine, and the dump of so much under one on most. */
const memoryMebibytes = 768;
const publishRate = '64Mi';

describe('a source that stays frozen while its artifact is published', () => {
  let bed: Bed;
  let namespace: string;
  const name = 'large';

  const tick = async (): Promise<Tick> => {
    const last = lastTick(await logsOf(bed, namespace, name).catch(() => ''));
    if (last === undefined) throw new Error('the counter is silent');
    return last;
  };
  const snapshot = (of: string, extra: object): Promise<void> =>
    bed.apply(
      snapshotOf({
        name: of,
        namespace,
        pod: name,
        extra: { afterCapture: 'Terminate', ...extra },
      }),
    );
  const stage = (of: string, wanted: string) =>
    bed.waitFor(
      `${of} to be ${wanted}`,
      async () => (await readSnapshot(bed, namespace, of))?.status.stage === wanted || undefined,
      120_000,
    );

  /** Failed with that reason, the very source counting on, and nothing stored. */
  const expectGoneOn = async (of: string, reason: string, before: Tick): Promise<void> => {
    const { status } = await waitForEnd(bed, namespace, of, 120_000);
    const failed = findCondition(status.conditions, 'Failed');
    expect(failed?.reason, JSON.stringify(status)).toBe(reason);
    expect(failed?.message).toMatch(/the source runs on$/);
    expect(status.sourceState).toBe('Running');
    const since = await tick();
    await bed.waitFor(
      'the source to count on',
      async () => ((await tick()).count > since.count + 2 ? true : undefined),
      30_000,
    );
    expect((await tick()).token).toBe(before.token);
    const left = `find /var/lib/cryopod/staging /var/lib/cryopod-store/snapshots/${namespace} -mindepth 1`;
    const nothing = async () => {
      const { stdout } = await bed.node(node).exec(['bash', '-c', `${left} 2>/dev/null`]);
      return stdout.trim() === '' || undefined;
    };
    await bed.waitFor('nothing to be left', nothing, 30_000);
  };

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'terminate-limits');
    await agentOnNode(bed, node).setPublishRate(publishRate);
    const environment = { MEMORY_MEBIBYTES: String(memoryMebibytes), KEEP_RUNNING: '1' };
    const image = 'cryopod.dev/sample-counter:dev';
    await bed.apply(sourcePod({ name, namespace, image, nodeName: node, environment }));
    await bed.waitFor('the counter to count', () => tick().catch(() => undefined), 300_000);
  });
  afterAll(async () => {
    await agentOnNode(bed, node).setPublishRate('0');
    await deleteNamespace(bed, namespace);
  });

  it('runs on when it is cancelled, however far the publish is', async () => {
    const before = await tick();
    await snapshot('cancelled', {});
    await stage('cancelled', 'Publishing');
    const cancel = ['--type=merge', '-p', '{"spec":{"cancel":true}}'];
    await bed.kubectl(['patch', 'podsnapshot', 'cancelled', '-n', namespace, ...cancel]);
    await expectGoneOn('cancelled', 'Cancelled', before);
  });

  it('runs on when its freeze budget is over, though its dump had kept it', async () => {
    const before = await tick();
    await snapshot('hasty', { freezeBudgetSeconds: 8 });
    await expectGoneOn('hasty', 'FreezeBudgetExceeded', before);
  });

  it('runs on at the deadline', async () => {
    const before = await tick();
    await snapshot('late', { deadlineSeconds: 8 });
    await expectGoneOn('late', 'DeadlineExceeded', before);
  });
});

describe('a snapshot that ends its source', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'terminate-unready');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('waits for a pod that is not Ready, unless it is told not to', async () => {
    const image = 'cryopod.dev/sample-counter:dev';
    const environment = { MEMORY_MEBIBYTES: '16', KEEP_RUNNING: '1' };
    const readinessProbe = { exec: { command: ['/no/such/program'] } };
    const pod = sourcePod({
      ...{ name: 'unready', namespace, image, nodeName: node, environment, readinessProbe },
    });
    await bed.apply(pod);
    const extra = { afterCapture: 'Terminate' };
    await bed.apply(snapshotOf({ name: 'patient', namespace, pod: 'unready', extra }));
    const waits = async () => {
      const patient = await readSnapshot(bed, namespace, 'patient');
      const progressing = findCondition(patient?.status.conditions ?? [], 'Progressing');
      return progressing?.reason === 'WaitingForPodReady' || undefined;
    };
    await bed.waitFor('the snapshot to wait', waits, 60_000);
    const hasty = { ...extra, waitForReady: false };
    await bed.apply(snapshotOf({ name: 'hasty', namespace, pod: 'unready', extra: hasty }));
    const { status } = await waitForEnd(bed, namespace, 'hasty', 60_000);
    expect(findCondition(status.conditions, 'Ready')?.status, JSON.stringify(status)).toBe('True');
    const lost = await waitForEnd(bed, namespace, 'patient', 60_000);
    expect(findCondition(lost.status.conditions, 'Failed')?.reason).toBe('SourcePodGone');
  });
});
