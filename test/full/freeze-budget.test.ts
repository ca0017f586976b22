import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  type Tick,
  waitForEmptyStaging,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

/** No machine freezes, writes and thaws this much within a second. */
const memoryMebibytes = 3072;
const node = 'node-a';

describe('a freeze budget', () => {
  let bed: Bed;
  let namespace: string;

  const tick = async (): Promise<Tick> => {
    const last = lastTick(await logsOf(bed, namespace, 'large').catch(() => ''));
    if (last === undefined) throw new Error('the counter is silent');
    return last;
  };
  const capture = async (name: string, freezeBudgetSeconds: number): Promise<PodSnapshot> => {
    const extra = { freezeBudgetSeconds };
    await bed.apply(snapshotOf({ name, namespace, pod: 'large', extra }));
    return waitForEnd(bed, namespace, name, 300_000);
  };

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'freeze-budget');
    await bed.apply(
      sourcePod({
        name: 'large',
        namespace,
        image: 'cryopod.dev/sample-counter:dev',
        nodeName: node,
        environment: { MEMORY_MEBIBYTES: String(memoryMebibytes), KEEP_RUNNING: '1' },
      }),
    );
    await waitForTick(bed, namespace, 'large');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('that is too small ends the capture in the middle of the memory; the source runs on, and nothing is left', async () => {
    const before = await tick();
    const { status } = await capture('hasty', 1);
    const failed = findCondition(status.conditions, 'Failed');
    expect(failed, JSON.stringify(status)).toMatchObject({
      status: 'True',
      reason: 'FreezeBudgetExceeded',
      message: expect.stringMatching(/freezeBudgetSeconds \(1\).* written; the source runs on$/),
    });
    expect(status.sourceState).toBe('Running');
    expect(status.artifact).toBeUndefined();
    console.log(failed?.message);
    await bed.waitFor(
      'the source to count on',
      async () => ((await tick()).count > before.count + 2 ? true : undefined),
      60_000,
    );
    expect((await tick()).token).toBe(before.token);
    await waitForEmptyStaging(bed, node);
  });

  it('that is large enough changes nothing, and the same source outlasts a second', async () => {
    const before = await tick();
    const { status } = await capture('patient', 600);
    expect(isTrue(status.conditions, 'Ready'), JSON.stringify(status)).toBe(true);
    expect(status.freezeMilliseconds).toBeGreaterThan(1000);
    expect((await tick()).token).toBe(before.token);
    const path = '{.status.containerStatuses[0].restartCount}';
    const restarts = await bed.kubectl([
      'get',
      'pod',
      'large',
      '-n',
      namespace,
      '-o',
      `jsonpath=${path}`,
    ]);
    expect(restarts).toBe('0');
  });
});
