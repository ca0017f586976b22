import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attachBed, type Bed, downBed, upBed, withBed } from '../bed/bed.ts';
import { identify, signalProcess } from '../bed/process.ts';
import { readState } from '../bed/state.ts';
import { busyboxImage } from '../bed/versions.ts';
import { machineSettings, tracesOf } from './bed-traces.ts';

const name = 'bedtest';
let settings = '';
let bed: Bed;

beforeAll(async () => {
  settings = await machineSettings();
  bed = await upBed({ name, nodes: 2 });
});
afterAll(async () => {
  await downBed(name);
});

const counterPod = (pod: string, node: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${pod}}
spec:
  nodeName: ${node}
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: ${busyboxImage}
    command: [sh, -c, 'i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done']
`;

async function awaitLog(pod: string, text: string): Promise<void> {
  await bed.waitFor(
    `pod ${pod} to log '${text}'`,
    async () => ((await bed.kubectl(['logs', pod])).includes(text) ? true : undefined),
    30_000,
  );
}

test('both nodes are Ready and a pod runs and logs on each', async () => {
  const ready = await bed.kubectl(['get', 'nodes', '--no-headers']);
  expect(ready.match(/ Ready /g)).toHaveLength(2);
  for (const node of bed.nodes) await bed.apply(counterPod(`counter-${node}`, node));
  for (const node of bed.nodes) await awaitLog(`counter-${node}`, 'tick 3');
});

test('a bed that is up is found up, not made again', async () => {
  const before = readState(name)?.processes;
  await upBed({ name, nodes: 2 });
  expect(readState(name)?.processes).toEqual(before);
});

test('the two nodes share one store and nothing else', async () => {
  const [first = '', second = ''] = bed.nodes;
  const write = 'echo shared > /var/lib/cryopod-store/x; echo own > /var/lib/cryopod/x';
  await bed.node(first).exec(['sh', '-c', write]);
  const shared = await bed.node(second).exec(['cat', '/var/lib/cryopod-store/x']);
  expect(shared.stdout).toBe('shared\n');
  expect((await bed.node(second).exec(['test', '-e', '/var/lib/cryopod/x'])).exitCode).toBe(1);
  const path = join(bed.node(first).rootPath, 'var/lib/cryopod/x');
  expect(await readFile(path, 'utf8')).toBe('own\n');
});

test('nothing of the bed reaches beyond it', async () => {
  const [node = ''] = bed.nodes;
  const routes = await bed.node(node).exec(['ip', 'route', 'get', '192.0.2.1']);
  expect(routes.stdout).toContain('via 198.18.0.1'); // to the hub, which has no way out
  const hub = await bed.node(node).exec(['busybox', 'ping', '-c', '1', '-W', '1', '192.0.2.1']);
  expect(hub.exitCode).not.toBe(0);
});

test('the API server is killed and comes back on the same port with the same data', async () => {
  await bed.kill('apiserver');
  await expect(bed.kubectl(['get', 'pods', '--request-timeout=2s'])).rejects.toThrow();
  await bed.start('apiserver');
  expect(await bed.kubectl(['get', 'pods'])).toContain('counter-node-a');
});

test('a kubelet is killed and started, and its pods never notice', async () => {
  await bed.kill('kubelet@node-a');
  await expect(bed.kill('kubelet@node-a')).rejects.toThrow('does not run');
  await bed.start('kubelet@node-a');
  const query = ['get', 'pod', 'counter-node-a', '-o', 'jsonpath={.status.containerStatuses[0]}'];
  expect(await bed.kubectl(query)).toContain('"restartCount":0');
  await awaitLog('counter-node-a', 'tick 10');
});

test('a node loses power and comes back', async () => {
  await bed.kill('node-b');
  expect(() => bed.node('node-b').rootPath).toThrow('is down');
  await bed.start('node-b');
  await bed.waitFor(
    'the pod to be started again',
    async () => {
      const query = ['get', 'pod', 'counter-node-b', '-o', 'jsonpath={.status}'];
      return (await bed.kubectl(query)).includes('"restartCount":1') ? true : undefined;
    },
    60_000,
  );
});

test('writes are counted in the audit log', async () => {
  const entries = (await readFile(bed.auditLogPath, 'utf8')).trim().split('\n');
  const creates = entries.filter((it) => /"verb":"(create|patch)".*"counter-node-a"/.test(it));
  expect(creates.length).toBeGreaterThan(0);
});

test('a wait in vain tells what the cluster was doing', async () => {
  const wait = bed.waitFor('a pod that nobody makes', async () => undefined, 100);
  await expect(wait).rejects.toThrow(
    /a pod that nobody makes[\s\S]*pods of bed[\s\S]*counter-node-a/,
  );
});

test('a second bed stands beside the first and goes without harming it', async () => {
  await withBed({ name: `${name}-2`, nodes: 0 }, async (second) => {
    expect(await second.kubectl(['get', 'pods'])).not.toContain('counter');
    expect(second.server).not.toBe(bed.server);
  });
  expect(await tracesOf(`${name}-2`)).toEqual([]);
  expect(await bed.kubectl(['get', 'pods'])).toContain('counter-node-a');
});

test('down leaves nothing of the bed and has changed nothing of the machine', async () => {
  await downBed(name);
  expect(await tracesOf(name)).toEqual([]);
  expect(await machineSettings()).toBe(settings);
  await downBed(name); // twice is fine
  await expect(attachBed(name)).rejects.toThrow('is not up');
});

test('up and down clean a bed whose pieces were killed', async () => {
  await upBed({ name, nodes: 1 });
  for (const identity of Object.values(readState(name)?.processes ?? {})) {
    signalProcess(identify(identity.pid), 'SIGKILL');
  }
  bed = await upBed({ name, nodes: 1 });
  await bed.kubectl(['get', 'nodes', 'node-a']);
  // Half of it dead and its memory lost: what is left is found by its name alone.
  await bed.kill('etcd');
  await rm(join(bed.directory, 'state.json'));
  await downBed(name);
  expect(await tracesOf(name)).toEqual([]);
});
