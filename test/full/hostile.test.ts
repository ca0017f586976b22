import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { testWorkloadsImage } from '../bed/images/build.ts';
import { findAgentPid } from '../e2e/agent-pid.ts';
import { attachSharedBed, createNamespace, deleteNamespace, waitForEnd } from '../e2e/cluster.ts';
import {
  expectToRunAgain,
  type Place,
  sayingOK,
  testWorkloads,
  waitForWord,
} from '../e2e/self-checking.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

/** The agent's memory at its highest: Node, its buffer pool and its worker threads, whatever a workload makes it read. */
const mostAgentMebibytes = 512;

describe('a hostile workload', () => {
  let bed: Bed;
  let namespace: string;
  let agentPid: string;
  const node = 'node-a';
  const place = (): Place => ({ bed, namespace, source: node, target: 'node-b' });
  const inNode = async (command: string): Promise<string> =>
    (await bed.node(node).exec(['bash', '-c', command])).stdout.trim();
  const findAgent = (): Promise<string> => inNode(findAgentPid);

  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    await bed.load((await testWorkloadsImage({ log })).archive);
    namespace = await createNamespace(bed, 'hostile');
    agentPid = await findAgent();
  });
  afterAll(() => deleteNamespace(bed, namespace));

  it('with 100,000 files, a hole of 10 GB and the strangest names runs again elsewhere with all of them', async () => {
    await expectToRunAgain(place(), {
      name: 'files',
      image: testWorkloads,
      command: ['python3', '/app/hostile_files.py'],
    });
  });

  it('with a path that nobody can open by its name is refused with it, and runs on', async () => {
    const dig =
      'cd /data; i=0; while [ $i -lt 30 ]; do i=$((i+1)); mkdir -p $(printf %0200d 0); cd $(printf %0200d 0); done; cd /';
    await bed.apply(
      sourcePod({
        ...{ name: 'deep', namespace, image: testWorkloads, nodeName: node },
        command: sayingOK(dig),
      }),
    );
    const before = await waitForWord(place(), 'deep', 0);
    await bed.apply(snapshotOf({ name: 'deep', namespace, pod: 'deep' }));
    const { status } = await waitForEnd(bed, namespace, 'deep', 60_000);
    expect(findCondition(status.conditions, 'Failed'), JSON.stringify(status)).toMatchObject({
      reason: 'CheckpointFailed',
      message: expect.stringMatching(/^"\.\/data\/0{10}.*its path has \d+ bytes/),
    });
    await waitForWord(place(), 'deep', before.count + 1);
    await bed.kubectl(['delete', 'pod', 'deep', '-n', namespace, '--wait=false']);
  });

  it('that forks without end, as far as its limit lets it, is captured or refused with a reason', async () => {
    const bomb = `
import os, resource, sys
os.setgid(54321); os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, (150, 150))
pid = os.fork()
if pid == 0:
    while True:
        try:
            if os.fork() == 0:
                if os.fork() > 0: os._exit(0)
        except OSError:
            pass
token, count = os.urandom(8).hex(), 0
import time
while True:
    count += 1
    print(f"OK {count} token={token}", flush=True)
    time.sleep(0.2)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
`;
    const command = ['python3', '-c', bomb];
    await bed.apply(
      sourcePod({ name: 'bomb', namespace, image: testWorkloads, nodeName: node, command }),
    );
    const before = await waitForWord(place(), 'bomb', 3);
    await bed.apply(snapshotOf({ name: 'bomb', namespace, pod: 'bomb' }));
    const { status } = await waitForEnd(bed, namespace, 'bomb', 240_000);
    if (!isTrue(status.conditions, 'Ready')) {
      const failed = findCondition(status.conditions, 'Failed');
      expect(failed?.reason).toMatch(/^(CheckpointFailed|PreflightFailed)$/);
      expect(failed?.message).not.toBe('');
    }
    console.log(`fork bomb: ${JSON.stringify(findCondition(status.conditions, 'Ready'))}`);
    await waitForWord(place(), 'bomb', before.count + 1);
    await bed.kubectl(['delete', 'pod', 'bomb', '-n', namespace, '--wait=false']);
  });

  it('of any of these kinds leaves the agent alive and small, with nothing in staging', async () => {
    expect(await findAgent()).toBe(agentPid);
    const peak = Number(
      /VmHWM:\s+(\d+) kB/.exec(await inNode(`cat /proc/${agentPid}/status`))?.[1],
    );
    console.log(`the agent's memory at its highest: ${Math.round(peak / 1024)} MiB`);
    expect(peak / 1024).toBeLessThan(mostAgentMebibytes);
    expect(await inNode('find /var/lib/cryopod/staging -mindepth 1')).toBe('');
  });
});
