import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  readSnapshot,
  waitForEnd,
} from './cluster.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

/** A shell with a listening child, a child that sleeps, a file that is open and deleted, and one that grows. */
const script = `
cat /dev/null > /tmp/log
busybox nc -ll -p 7070 -e cat & echo $! > /tmp/pid
sleep 100000 &
exec 5> /tmp/gone; echo hello >&5; rm /tmp/gone
echo here > /tmp/first
while :; do echo line >> /tmp/log; sleep 1; done`;

describe('the command line before a real cluster', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'inspect');
    await bed.apply(
      sourcePod({
        ...{ name: 'source', namespace, nodeName: 'node-a' },
        image: 'cryopod.dev/sample-counter:dev',
        command: ['sh', '-c', script],
        environment: { API_TOKEN: 'hunter2', COLOUR: 'blue' },
      }),
    );
    await bed.waitFor(
      'the workload to listen and to have written',
      async () => {
        const check = 'busybox netstat -ltn | busybox grep -q :7070 && test -s /tmp/log';
        return await inSource(check).then(
          () => true,
          () => undefined,
        );
      },
      60_000,
    );
    await capture('first');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const inSource = (command: string): Promise<string> =>
    bed.kubectl(['exec', 'source', '-n', namespace, '--', 'sh', '-c', command]);
  const capture = async (name: string): Promise<void> => {
    await bed.apply(snapshotOf({ name, namespace, pod: 'source' }));
    const { status } = await waitForEnd(bed, namespace, name, 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
  };
  /** As users run it: where the store is. A difference ends with 1. */
  const inAgent = async (...words: readonly string[]) => {
    const field = ['--field-selector', 'spec.nodeName=node-a', '-o', 'name'];
    const select = ['get', 'pods', '-l', 'app.kubernetes.io/component=agent', ...field];
    const agent = (await bed.kubectl([...select, '-n', 'cryopod-system'])).trim();
    const command = `node dist/cli/main.js ${words.join(' ')} || test $? -eq 1`;
    return await bed.kubectl(['exec', agent, '-n', 'cryopod-system', '--', 'sh', '-c', command]);
  };

  it('inspects what CRIU dumped: the tree, its socket, the deleted file, the masked environment', async () => {
    const found = JSON.parse(await inAgent('inspect', `${namespace}/first`, '-o', 'json'));
    const snapshot = await readSnapshot(bed, namespace, 'first');
    expect(found.digest).toBe(snapshot?.status.artifact?.digest);
    expect(found.node.kernelVersion).toMatch(/^\d/);
    const [container] = found.containers;
    expect(container.criuVersion).toMatch(/^4\./);
    type Process = {
      readonly pid: number;
      readonly parentPid: number;
      readonly arguments: readonly string[];
      readonly descriptors: readonly { readonly kind: string }[];
    };
    const processes: readonly Process[] = container.processes;
    const root = container.processes[0];
    expect(root).toMatchObject({ pid: 1, parentPid: 0, state: 'alive', command: 'sh' });
    expect(root.arguments).toEqual(['sh', '-c', script]);
    expect(root.executable).toBe('/bin/busybox');
    expect(root.credentials.capabilities.effective).toContain('CHOWN');
    expect(root.residentBytes).toBeGreaterThan(4096);
    expect(root.environment).toContainEqual({ name: 'API_TOKEN', value: '***' });
    expect(root.environment).toContainEqual({ name: 'COLOUR', value: 'blue' });
    expect(root.descriptors).toContainEqual(
      expect.objectContaining({ descriptor: 5, name: '/tmp/gone', removed: true, sizeBytes: 6 }),
    );
    const commands = processes.slice(1).map(({ arguments: words }) => words.join(' '));
    expect(commands).toContain('busybox nc -ll -p 7070 -e cat');
    expect(commands).toContain('sleep 100000');
    const sockets = processes.flatMap(({ descriptors }) =>
      descriptors.filter(({ kind }) => kind === 'inet'),
    );
    expect(sockets).toContainEqual(
      expect.objectContaining({ state: 'listening', local: expect.stringMatching(/:7070$/) }),
    );
    const text = await inAgent('inspect', `${namespace}/first`);
    expect(text).not.toContain('hunter2');
    expect(text).toMatch(/^\d+ +1 +alive .* {3,}busybox nc -ll -p 7070 -e cat$/m);
  });

  it('compares two successive snapshots: what went, what changed, what is new', async () => {
    await inSource('kill $(cat /tmp/pid); rm /tmp/first; echo new > /tmp/second');
    await bed.waitFor(
      'the child to be gone',
      async () => {
        const line = await inSource('cat /proc/$(cat /tmp/pid)/cmdline').catch(() => '');
        return line === '' ? true : undefined;
      },
      30_000,
    );
    await capture('second');
    const names = [`${namespace}/first`, `${namespace}/second`];
    const found = JSON.parse(await inAgent('diff', ...names, '-o', 'json'));
    expect(found.same).toBe(false);
    expect(found.facts).toEqual([]);
    const [{ processes, memory, files }] = found.containers;
    expect(processes).toContainEqual(
      expect.objectContaining({ change: 'went', command: 'busybox' }),
    );
    expect(memory.sharedBytes + memory.changedBytes + memory.zeroBytes).toBe(memory.afterBytes);
    const changes = files.map(
      ({ path, change }: { readonly path: string; readonly change: string }) => `${change} ${path}`,
    );
    expect(changes).toEqual(['removed tmp/first', 'changed tmp/log', 'added tmp/second']);
    const same = JSON.parse(await inAgent('diff', names[0] ?? '', names[0] ?? '', '-o', 'json'));
    expect(same).toMatchObject({ same: true, facts: [] });
  });
});
