import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from '../e2e/agent-pid.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  waitForEmptyStaging,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

const kills = 10;
const memoryMebibytes = 1024;

describe('kill -9 of the agent at random moments of a 1 GiB capture', () => {
  let bed: Bed;
  let namespace: string;
  const node = 'node-a';
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'agent-kill');
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
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  /** After a kill at the very end of a round the kubelet may still call Ready what has just ended: then its successor is killed once it is there. */
  const killAgent = async (): Promise<void> => {
    const find = `until pid=$(${findAgentPid}) && [ -n "$pid" ]; do sleep 0.05; done`;
    const words = ['timeout', '60', 'bash', '-c', `${find}; kill -9 $pid`];
    const killed = await bed.node(node).exec(words);
    expect(killed.exitCode, killed.stderr).toBe(0);
  };

  const agentReady = (): Promise<true> =>
    bed.waitFor(
      `the agent of ${node} to be Ready`,
      async () => {
        const path = '{range .items[*]}{.status.containerStatuses[0].ready} {end}';
        const text = await bed.kubectl([
          'get',
          'pods',
          '-n',
          'cryopod-system',
          '--field-selector',
          `spec.nodeName=${node}`,
          '-l',
          'app.kubernetes.io/component=agent',
          '-o',
          `jsonpath=${path}`,
        ]);
        return text.trim() === 'true' ? true : undefined;
      },
      360_000,
    );

  const token = async (): Promise<{ token: string; count: number }> => {
    const tick = lastTick(await logsOf(bed, namespace, 'large'));
    if (tick === undefined) throw new Error('the counter is silent');
    return tick;
  };

  it('the source lives, is never stopped longer than its dump plus 10 s, and each snapshot ends with a reason', async () => {
    await agentReady();
    const first = await token();
    const undisturbed = performance.now();
    await bed.apply(snapshotOf({ name: 'undisturbed', namespace, pod: 'large' }));
    const reference = await waitForEnd(bed, namespace, 'undisturbed', 120_000);
    expect(isTrue(reference.status.conditions, 'Ready'), JSON.stringify(reference.status)).toBe(
      true,
    );
    const captureMs = performance.now() - undisturbed;
    const freezeMs = reference.status.freezeMilliseconds ?? 0;
    const ends: string[] = [];
    for (let round = 0; round < kills; round += 1) {
      const name = `kill-${round}`;
      await agentReady();
      const before = await token();
      await bed.apply(snapshotOf({ name, namespace, pod: 'large' }));
      // Publishing lasts longest; every other moment falls into the first seconds, where the source is frozen.
      const windowMs = round % 2 === 0 ? captureMs * 1.1 : Math.min(captureMs, freezeMs + 2000);
      const momentMs = Math.random() * windowMs;
      const started = performance.now();
      await bed.waitFor(
        'the random moment',
        async () => (performance.now() - started >= momentMs ? true : undefined),
        momentMs + 5_000,
      );
      await killAgent();
      const killedAt = performance.now();
      await bed.waitFor(
        'the source to count on after the kill',
        async () => ((await token()).count > before.count + 1 ? true : undefined),
        freezeMs + 10_000,
      );
      const pauseMs = performance.now() - killedAt;
      const ended = await waitForEnd(bed, namespace, name, 420_000);
      const ready = findCondition(ended.status.conditions, 'Ready');
      ends.push(
        `${name}: killed after ${Math.round(momentMs)} ms, counting again ${Math.round(pauseMs)} ms later, ${ready?.status}/${ready?.reason}`,
      );
      expect(ready?.reason).toBeTruthy();
      expect((await token()).token).toBe(first.token);
    }
    console.log(
      [`undisturbed: ${Math.round(captureMs)} ms, frozen ${freezeMs} ms`, ...ends].join('\n'),
    );
    const pods: { items: { status: { containerStatuses: { restartCount: number }[] } }[] } =
      JSON.parse(
        await bed
          .kubectl(['get', 'pods', 'large', '-n', namespace, '-o', 'json'])
          .then((text) => `{"items":[${text}]}`),
      );
    expect(pods.items[0]?.status.containerStatuses[0]?.restartCount).toBe(0);
    await waitForEmptyStaging(bed, node);
  }, 2_400_000);
});
