import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';
import { allProcessesOf, installDriver, processesOf, runDriver, workload } from './criu-node.ts';

const bedName = 'criu';
const node = 'node-a';
/** No token: the driver is not told of the volumes of the spec, where it would be one. */
const podBase = {
  nodeName: node,
  terminationGracePeriodSeconds: 0,
  automountServiceAccountToken: false,
};
/** A dump of the workload takes well under a second; the rest is for a machine that is busy with other things. */
const soonMs = 20_000;

let bed: Bed;
let containerID = '';
let podUID = '';
let captures = 0;

beforeAll(async () => {
  bed = await upBed({ name: bedName, nodes: 1 });
  installDriver(bed, node);
  await bed.apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'counter', namespace: 'default' },
      spec: {
        ...podBase,
        containers: [
          {
            name: 'main',
            image: busyboxImage,
            imagePullPolicy: 'Never',
            command: ['sh', '-c', workload],
            securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
            volumeMounts: [{ name: 'snapshot-control', mountPath: '/control', subPath: 'main' }],
          },
        ],
        volumes: [{ name: 'snapshot-control', emptyDir: {} }],
      },
    }),
  );
  await bed.waitFor('the counter to count', async () => (await ticks()) > 0 || undefined, 60_000);
  const path = '{.status.containerStatuses[0].containerID} {.metadata.uid}';
  [containerID = '', podUID = ''] = (
    await bed.kubectl(['get', 'pod', 'counter', '-o', `jsonpath=${path}`])
  ).split(' ');
});

afterAll(() => downBed(bedName));

async function ticks(): Promise<number> {
  const log = await bed.kubectl(['logs', 'counter', '--tail=1']).catch(() => '');
  return Number(/tick (\d+)/.exec(log)?.[1] ?? 0);
}

/** An order for a fresh staging directory. */
function order(change: object) {
  captures += 1;
  const stagingDirectory = `/var/lib/cryopod/staging/test-${captures}`;
  return { containerID, podUID, stagingDirectory, ...change };
}

const inNode = async (command: string): Promise<string> =>
  (await bed.node(node).exec(['sh', '-c', command])).stdout.trim();

/** Cgroups and lock files of captures that are over. */
const leftovers = (): Promise<string> =>
  inNode('find /sys/fs/cgroup -path "*/cryopod/criu-*" -type d; ls /var/lib/cryopod/locks');

/** The source is the same process, runs, and counts on. */
async function expectRunning(pid: number): Promise<void> {
  const before = await ticks();
  await bed.waitFor(
    'the source to count on',
    async () => ((await ticks()) > before + 2 ? true : undefined),
    soonMs,
  );
  expect(await inNode(`grep State: /proc/${pid}/status`)).toMatch(/[SR] \(/);
}

/** Waits until the hold of a stopped driver has given up, then ends that driver. */
async function givenUp(stagingDirectory: string): Promise<void> {
  const log = `${stagingDirectory}/containers/main/criu/dump.log`;
  const failed = async () => (await inNode(`grep -s "Dumping FAILED" ${log}`)) || undefined;
  await bed.waitFor('the hold to give up', failed, soonMs);
  await inNode(`kill -9 $(cat ${stagingDirectory}.pid)`);
}

describe("a capture by the agent's own code", () => {
  test('memory, writable layer and /dev/shm are taken, and the tree counts on', async () => {
    const capture = order({});
    const events = await runDriver(bed, node, capture);
    expect(events.map(({ event }) => event)).toEqual(['preflight', 'process', 'held', 'released']);
    expect(events[0]).toMatchObject({ blockers: [] });
    const { source } = processesOf(events);
    await expectRunning(source.pid);
    const result = events[3]?.result;
    expect(result).toMatchObject({
      containers: [
        {
          name: 'main',
          imagesDirectory: 'containers/main/criu',
          rootfsTar: 'containers/main/rootfs.tar',
        },
      ],
      volumeTars: [{ name: 'dev-shm', path: 'volumes/dev-shm.tar' }],
      freezeMilliseconds: expect.any(Number),
    });
    const staging = capture.stagingDirectory;
    expect(await inNode(`ls ${staging}/containers/main/criu`)).toMatch(/^inventory\.img$/m);
    const layer = await inNode(`tar tvf ${staging}/containers/main/rootfs.tar`);
    expect(layer).toMatch(/\.\/tmp\/written$/m);
    expect(layer).toMatch(/^c-.* 0,0 .*\.\/bin\/nc$/m);
    expect(await inNode(`tar tf ${staging}/volumes/dev-shm.tar`)).toMatch(/^\.\/s$/m);
    expect(await leftovers()).toBe('');
  });

  test.each(['dumping', 'held'])(
    'an abort while %s ends CRIU and lets the source go on',
    async (at) => {
      const events = await runDriver(bed, node, order({ abortAt: at }));
      expect(events.at(-1)?.event).toBe('aborted');
      const { criu, source } = processesOf(events);
      expect(await inNode(`test -e /proc/${criu.pid} && echo there`)).toBe('');
      await expectRunning(source.pid);
    },
  );

  test('preflight freezes nothing and estimates what a dump writes', async () => {
    const [found] = await runDriver(bed, node, order({ only: 'preflight' }));
    expect(found).toMatchObject({ event: 'preflight', blockers: [] });
    expect(Number(found?.estimatedBytes)).toBeGreaterThan(24_000_000);
  });

  test('a second capture of the same container at the same time is refused, untouched', async () => {
    const capture = order({ dieAt: 'stopInHold', holdLimitSeconds: 8 });
    const first = runDriver(bed, node, capture);
    const frozen = async () =>
      (await inNode('cat /proc/*/stat | grep -F " (sh) t "')) === '' ? undefined : true;
    await bed.waitFor('the hold', frozen, soonMs);
    const second = await runDriver(bed, node, order({}));
    expect(second.at(-1)).toMatchObject({
      event: 'failed',
      message: expect.stringMatching(/another capture/),
    });
    await givenUp(capture.stagingDirectory);
    await expectRunning(processesOf(await first).source.pid);
  });

  test('a CRIU that is not there is a blocker, and nothing is touched', async () => {
    const [found] = await runDriver(bed, node, order({ only: 'preflight', criuPath: '/no/criu' }));
    expect(found?.blockers).toEqual([
      { check: 'criu', message: expect.stringMatching(/not there/) },
    ]);
  });
});

describe('an agent that dies by SIGKILL', () => {
  test.each(['begin', 'dumping', 'held', 'releasing'])(
    'while it is at "%s": CRIU ends by itself, the source runs on, settle finds it so',
    async (dieAt) => {
      const capture = order({ dieAt });
      const events = await runDriver(bed, node, capture);
      expect(events.at(-1)?.event).not.toBe('released');
      const { criu, source } = processesOf(events);
      await bed.waitFor(
        'CRIU to end',
        async () => (await inNode(`test -e /proc/${criu.pid} || echo gone`)) || undefined,
        soonMs,
      );
      await expectRunning(source.pid);
      const { stagingDirectory } = capture;
      const settled = await runDriver(
        bed,
        node,
        order({ stagingDirectory, settle: allProcessesOf(events) }),
      );
      expect(settled).toEqual([{ event: 'settled', sourceRuns: true }]);
      expect(await leftovers()).toBe('');
    },
  );

  test('one that is stopped in the hold does not keep the source frozen for ever', async () => {
    const capture = order({ dieAt: 'stopInHold', holdLimitSeconds: 1 });
    const stopped = runDriver(bed, node, capture);
    await givenUp(capture.stagingDirectory);
    await expectRunning(processesOf(await stopped).source.pid);
  });
});

describe('two containers of one pod', () => {
  const containers = ['main', 'side'] as const;
  let ids: readonly string[] = [];
  let uid = '';

  const pair = (change: object) =>
    order({ containerID: ids[0], sideContainerID: ids[1], podUID: uid, ...change });
  const ticksOf = async (container: string): Promise<number> => {
    const log = await bed.kubectl(['logs', 'pair', '-c', container, '--tail=1']).catch(() => '');
    return Number(/tick (\d+)/.exec(log)?.[1] ?? 0);
  };
  const expectBothRunning = async (): Promise<void> => {
    for (const container of containers) {
      const before = await ticksOf(container);
      const on = async () => (await ticksOf(container)) > before + 2 || undefined;
      await bed.waitFor(`${container} to count on`, on, soonMs);
    }
  };

  beforeAll(async () => {
    await bed.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pair', namespace: 'default' },
        spec: {
          ...podBase,
          containers: containers.map((name) => ({
            ...{ name, image: busyboxImage, imagePullPolicy: 'Never' },
            command: ['sh', '-c', `echo ${name} >/data/${name}; ${workload}`],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          })),
          volumes: [{ name: 'data', emptyDir: {} }],
        },
      }),
    );
    for (const name of containers) {
      const counts = async () => (await ticksOf(name)) > 0 || undefined;
      await bed.waitFor(`${name} to count`, counts, 60_000);
    }
    const id = (name: string) => `{.status.containerStatuses[?(@.name=="${name}")].containerID}`;
    const path = `${id('main')} ${id('side')} {.metadata.uid}`;
    const told = await bed.kubectl(['get', 'pod', 'pair', '-o', `jsonpath=${path}`]);
    const [main = '', side = '', podUIDOfPair = ''] = told.split(' ');
    ids = [main, side];
    uid = podUIDOfPair;
  });

  test('are captured in one freeze, with the emptyDir that they share', async () => {
    const capture = pair({});
    const events = await runDriver(bed, node, capture);
    expect(events.map(({ event }) => event)).toEqual(['preflight', 'process', 'held', 'released']);
    expect(events[0]).toMatchObject({ blockers: [] });
    expect(events[3]?.result).toMatchObject({
      containers: containers.map((name) => ({ name })),
      volumeTars: [{ name: 'data' }, { name: 'dev-shm' }],
    });
    const { stagingDirectory } = capture;
    const files = await inNode(`tar tf ${stagingDirectory}/volumes/data.tar | sort`);
    expect(files.split('\n')).toEqual(['./', './main', './side']);
    // Each stood still at its first hold before the other was dumped.
    for (const name of containers) {
      const log = `${stagingDirectory}/containers/${name}/criu/dump.log`;
      expect(await inNode(`grep -c 'Running network-lock scripts' ${log}`)).toBe('1');
    }
    await expectBothRunning();
  });

  test.each(['dumping', 'held'])('both go on when the capture is ended while %s', async (at) => {
    const events = await runDriver(bed, node, pair({ abortAt: at }));
    expect(events.at(-1)?.event).toBe('aborted');
    await expectBothRunning();
  });

  test.each(['begin', 'dumping', 'writing', 'held', 'releasing'])(
    'both go on when the agent dies by SIGKILL at "%s", and settle finds it so',
    async (dieAt) => {
      const capture = pair({ dieAt });
      const events = await runDriver(bed, node, capture);
      expect(events.at(-1)?.event).not.toBe('released');
      const { stagingDirectory } = capture;
      const settle = { stagingDirectory, settle: allProcessesOf(events) };
      const settled = await runDriver(bed, node, pair(settle));
      expect(settled).toEqual([{ event: 'settled', sourceRuns: true }]);
      await expectBothRunning();
      expect(await leftovers()).toBe('');
    },
  );

  test('neither is captured while another capture has one of them', async () => {
    const alone = pair({ dieAt: 'stopInHold', holdLimitSeconds: 8, sideContainerID: undefined });
    const first = runDriver(bed, node, alone);
    const frozen = async () =>
      (await inNode('cat /proc/*/stat | grep -F " (sh) t "')) === '' ? undefined : true;
    await bed.waitFor('the hold', frozen, soonMs);
    const second = await runDriver(bed, node, pair({}));
    expect(second.at(-1)).toMatchObject({
      event: 'failed',
      message: expect.stringMatching(/^container main: another capture .*; the source runs$/),
    });
    await givenUp(alone.stagingDirectory);
    await first;
    await expectBothRunning();
  });
});
