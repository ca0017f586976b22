import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';
import { allProcessesOf, installDriver, runDriver } from '../integration/criu-node.ts';

const bedName = 'criu-terminate';
const node = 'node-a';
const soonMs = 20_000;
const containers = ['main', 'side'] as const;

let bed: Bed;
let told: readonly string[] = [];
let captures = 0;

const workload =
  'i=0; while true; do i=$((i+1)); echo $i >/tmp/written; echo tick $i; sleep 0.2; done';

beforeAll(async () => {
  bed = await upBed({ name: bedName, nodes: 1 });
  installDriver(bed, node);
  await bed.apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'pair', namespace: 'default' },
      spec: {
        nodeName: node,
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 0,
        containers: containers.map((name) => ({
          ...{ name, image: busyboxImage, imagePullPolicy: 'Never' },
          command: ['sh', '-c', workload],
        })),
      },
    }),
  );
  for (const name of containers) {
    await bed.waitFor(`${name} to count`, async () => (await ticks(name)) || undefined, 60_000);
  }
  const id = (name: string) => `{.status.containerStatuses[?(@.name=="${name}")].containerID}`;
  const path = `jsonpath=${id('main')} ${id('side')} {.metadata.uid}`;
  told = (await bed.kubectl(['get', 'pod', 'pair', '-o', path])).split(' ');
});

afterAll(() => downBed(bedName));

async function ticks(container: string): Promise<number> {
  const log = await bed.kubectl(['logs', 'pair', '-c', container, '--tail=1']).catch(() => '');
  return Number(/tick (\d+)/.exec(log)?.[1] ?? 0);
}

function order(change: object) {
  captures += 1;
  const stagingDirectory = `/var/lib/cryopod/staging/test-${captures}`;
  const [containerID, sideContainerID, podUID] = told;
  const of = { containerID, sideContainerID, podUID, stagingDirectory };
  return { ...of, afterCapture: 'Terminate', ...change };
}

const inNode = async (command: string): Promise<string> =>
  (await bed.node(node).exec(['sh', '-c', command])).stdout.trim();

async function expectBothRunning(): Promise<void> {
  for (const name of containers) {
    const before = await ticks(name);
    const on = async () => (await ticks(name)) > before + 2 || undefined;
    await bed.waitFor(`${name} to count on`, on, soonMs);
  }
}

/** Cgroups and lock files of captures that are over. */
const leftovers = (): Promise<string> =>
  inNode('find /sys/fs/cgroup -path "*/cryopod/criu-*" -type d; ls /var/lib/cryopod/locks');

/** Captures until the agent dies there, by its own SIGKILL; then what another one does about it. */
async function dieAnd(dieAt: 'kept' | 'committed', then: object) {
  const capture = order({ dieAt });
  const events = await runDriver(bed, node, capture);
  expect(events.map(({ event }) => event)).toContain(dieAt);
  const settle = allProcessesOf(events);
  const { stagingDirectory } = capture;
  const held = settle.map(({ source }) => `/proc/${source.pid}/status`).join(' ');
  const traced = await inNode(`grep -c 'TracerPid:.[1-9]' ${held} | grep -c ':1'`);
  const said = await runDriver(bed, node, order({ stagingDirectory, settle, ...then }));
  return { said, traced: Number(traced), stagingDirectory };
}

describe('the containers of a source that is to be ended', () => {
  test('run on when the agent dies before they are committed', async () => {
    const { said } = await dieAnd('kept', {});
    expect(said).toEqual([{ event: 'settled', sourceRuns: true }]);
    await expectBothRunning();
    expect(await leftovers()).toBe('');
  });

  test('once committed wait, though the agent is dead, and run on when the next one says so', async () => {
    const { said, traced } = await dieAnd('committed', { decision: 'run' });
    expect(traced).toBe(2);
    expect(said).toEqual([
      { event: 'asked', committed: true },
      { event: 'decided', sourceRuns: true },
      { event: 'asked', committed: false },
    ]);
    await expectBothRunning();
    expect(await leftovers()).toBe('');
  });

  test('once committed run on by themselves when nobody decides for long', async () => {
    const capture = order({ dieAt: 'committed', commitLimitSeconds: 1 });
    await runDriver(bed, node, capture);
    await expectBothRunning();
  });

  test('and are committed end when the next agent says so, at their last word', async () => {
    const last = async (): Promise<readonly number[]> => Promise.all(containers.map(ticks));
    const { said, traced, stagingDirectory } = await dieAnd('committed', { decision: 'end' });
    expect(traced).toBe(2);
    expect(said).toEqual([
      { event: 'asked', committed: true },
      { event: 'decided', sourceRuns: false },
      { event: 'asked', committed: false },
    ]);
    for (const [index, count] of (await last()).entries()) {
      const layer = `${stagingDirectory}/containers/${containers[index]}/rootfs.tar`;
      expect([count, count + 1]).toContain(Number(await inNode(`tar xOf ${layer} ./tmp/written`)));
    }
    expect(await leftovers()).toBe('');
  });
});
