import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { testWorkloadsImage } from '../bed/images/build.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  logsOf,
  waitForEnd,
} from '../e2e/cluster.ts';
import {
  captured,
  expectToRunAgain,
  type Place,
  restoredBothWays,
  sayingOK,
  testWorkloads,
  waitForWord,
} from '../e2e/self-checking.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

const keys = 1_000_000;

/** A server, a worker thread, a timer and a file watcher; says OK when each of them answered in this round. */
const nodeProgram = `
const { createServer } = require('node:http');
const { randomBytes } = require('node:crypto');
const { watch, writeFileSync, mkdirSync } = require('node:fs');
const { Worker } = require('node:worker_threads');
const token = randomBytes(8).toString('hex');
const table = new Map(Array.from({ length: 100000 }, (_, i) => ['key' + i, { value: i }]));
let requests = 0;
const server = createServer((_, answer) => answer.end(String(++requests)));
const worker = new Worker("const { parentPort } = require('node:worker_threads'); parentPort.on('message', (n) => parentPort.postMessage(n * 2));", { eval: true });
const doubled = (n) => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(n); });
const asked = async (port) => {
  for (;;) {
    try { return Number(await (await fetch('http://127.0.0.1:' + port, { headers: { connection: 'close' } })).text()); } catch {}
  }
};
server.listen(0, '127.0.0.1', async () => {
  for (let round = 1; ; round++) {
    const before = requests;
    if ((await asked(server.address().port)) <= before) console.log('BAD the server forgot');
    else if ((await doubled(round)) !== 2 * round) console.log('BAD the worker is wrong');
    else if (table.get('key' + round).value !== round) console.log('BAD the table is wrong');
    else console.log('OK ' + round + ' token=' + token);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
});
`;

describe.concurrent('a workload is restored on both nodes, by PodRestore and by annotation, and goes on', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    await bed.load((await testWorkloadsImage({ log })).archive);
    namespace = await createNamespace(bed, 'workloads');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const aToB = (): Place => ({ bed, namespace, source: 'node-a', target: 'node-b' });
  const bToA = (): Place => ({ bed, namespace, source: 'node-b', target: 'node-a' });
  const exec = (pod: string, ...command: readonly string[]): Promise<string> =>
    bed.kubectl(['exec', pod, '-n', namespace, '--', ...command]);

  it('that is a shell', () =>
    expectToRunAgain(aToB(), { name: 'shell', image: testWorkloads, command: sayingOK('') }));

  it('that is a tree of 200 processes with zombies, orphans and a stopped one', () =>
    expectToRunAgain(bToA(), {
      name: 'tree',
      image: testWorkloads,
      command: ['process-tree', '200'],
    }));

  it('that has 2,000 threads, is not root, may do nothing and has a read-only root', () =>
    expectToRunAgain(aToB(), {
      name: 'threads',
      image: testWorkloads,
      command: ['many-threads', '2000'],
      container: {
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 12345,
          runAsGroup: 23456,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      },
    }));

  it('that writes an SQLite database in WAL mode on an emptyDir', () =>
    expectToRunAgain(bToA(), {
      name: 'sqlite',
      image: testWorkloads,
      command: ['python3', '/app/sqlite_writer.py', '/db'],
      emptyDirAt: '/db',
    }));

  it('that is Python with 32 threads, which all count on', async () => {
    const place = aToB();
    const source = sourcePod({
      ...{ name: 'python', namespace, image: 'cryopod.dev/sample-python:dev' },
      nodeName: place.source,
      environment: { THREADS: '32' },
    });
    await bed.apply(source);
    const state = async (pod: string) => {
      const log = await logsOf(bed, namespace, pod).catch(() => '');
      const match = /^token=(\w+) counts=([\d,]+)$/.exec(log.trim().split('\n').at(-1) ?? '');
      if (match === null) return undefined;
      return { token: match[1], counts: String(match[2]).split(',').map(Number) };
    };
    const before = await bed.waitFor('python to print', () => state('python'), 60_000);
    await captured(place, 'python');
    await restoredBothWays(place, 'python', source, async (pod) => {
      const after = await bed.waitFor(
        'every thread to count on',
        async () => {
          const now = await state(pod);
          const on = now?.counts.every((count, index) => count > (before.counts[index] ?? 0));
          return on === true ? now : undefined;
        },
        30_000,
      );
      expect(after.token).toBe(before.token);
      expect(after.counts).toHaveLength(32);
    });
  });

  it('that is Node with a server, a worker thread and a big heap', () =>
    expectToRunAgain(aToB(), {
      name: 'node',
      image: 'cryopod.dev/controller:dev',
      command: ['node', '-e', nodeProgram],
    }));

  it('that is nginx with workers of another user', async () => {
    const place = bToA();
    const source = sourcePod({
      name: 'nginx',
      namespace,
      image: testWorkloads,
      nodeName: place.source,
      command: ['nginx'],
    });
    await bed.apply(source);
    const get = (pod: string, path: string): Promise<string> => {
      const program = `import urllib.request as r; print(r.urlopen("http://127.0.0.1:8080${path}").read().decode())`;
      return exec(pod, 'python3', '-c', program);
    };
    const requests = async (pod: string): Promise<number> => {
      const status = await get(pod, '/status');
      return Number(/^ \d+ \d+ (\d+)/m.exec(status)?.[1]);
    };
    const before = await bed.waitFor(
      'nginx to answer',
      () => requests('nginx').catch(() => undefined),
      60_000,
    );
    await captured(place, 'nginx');
    expect(await requests('nginx')).toBe(before + 1);
    const owners = `grep -h Uid: $(grep -l '^nginx' /proc/[0-9]*/comm | sed s/comm/status/) | sort -u`;
    await restoredBothWays(place, 'nginx', source, async (again) => {
      expect(await requests(again)).toBe(before + 1);
      expect(await get(again, '/')).toMatch(/^worker \d+/);
      expect(await exec(again, 'sh', '-c', owners)).toMatch(
        /^Uid:\t0\t0\t0\t0\nUid:\t33\t33\t33\t33\n$/,
      );
    });
  });

  it(`that is Redis with ${keys.toLocaleString('en')} keys under write load`, async () => {
    const place = aToB();
    const image = 'cryopod.dev/sample-redis:dev';
    const ask = async (pod: string, ...words: readonly string[]): Promise<string> =>
      (await exec(pod, 'redis-cli', ...words)).trim();
    const source = sourcePod({ name: 'redis', namespace, image, nodeName: place.source });
    await bed.apply(source);
    await bed.waitFor(
      'redis to answer',
      async () =>
        (await ask('redis', 'ping').catch(() => '')).includes('PONG') ? true : undefined,
      60_000,
    );
    const fill = `for i=1,${keys} do redis.call("set", "key:"..i, "value-"..i) end return redis.call("dbsize")`;
    expect(await ask('redis', 'eval', fill, '0')).toBe(String(keys));
    const runID = /run_id:(\w+)/.exec(await ask('redis', 'info', 'server'))?.[1];

    // Another pod writes all the time: the number it has reached, and a key for each number up to it.
    const path = '{.status.podIP}';
    const host = await bed.kubectl(['get', 'pod', 'redis', '-n', namespace, `-ojsonpath=${path}`]);
    const write =
      'local n = redis.call("incr", "written") redis.call("set", "written:"..n, n) return n';
    const load = `exec redis-benchmark -h ${host} -c 8 -n 100000000 -q eval '${write}' 0`;
    const command = ['sh', '-c', load];
    await bed.apply(sourcePod({ name: 'load', namespace, image, nodeName: place.target, command }));
    const written = async (pod: string): Promise<number> =>
      Number(await ask(pod, 'get', 'written'));
    const before = await bed.waitFor(
      'the load to begin',
      async () => (await written('redis')) || undefined,
      60_000,
    );
    await captured(place, 'redis');
    const after = await written('redis');
    await bed.waitFor(
      'the load to go on',
      async () => ((await written('redis')) > after ? true : undefined),
      30_000,
    );
    await bed.kubectl(['delete', 'pod', 'load', '-n', namespace, '--wait=false']);

    await restoredBothWays(place, 'redis', source, async (again) => {
      const reached = await written(again);
      expect(reached).toBeGreaterThan(before);
      expect(reached).toBeLessThanOrEqual(after);
      expect(await ask(again, 'dbsize')).toBe(String(keys + 1 + reached));
      expect(await ask(again, 'get', `written:${reached}`)).toBe(String(reached));
      expect(await ask(again, 'exists', `written:${reached + 1}`)).toBe('0');
      expect(await ask(again, 'get', 'key:777777')).toBe('value-777777');
      expect(await ask(again, 'eval', write, '0')).toBe(String(reached + 1));
      expect(/run_id:(\w+)/.exec(await ask(again, 'info', 'server'))?.[1]).toBe(runID);
    });
  });

  const hopeless: readonly (readonly [string, string, RegExp])[] = [
    [
      'an eventfd that is a semaphore',
      'import os; os.eventfd(3, os.EFD_SEMAPHORE)',
      /process \d+ \(python3[^)]*\), descriptor \d+ is an eventfd made as a semaphore .*cannot be saved/,
    ],
    [
      'a POSIX message queue',
      'import ctypes; ctypes.CDLL(None).mq_open(b"/queue", 0o102, 0o600, None)',
      /descriptor \d+ is the POSIX message queue \/queue, which cannot be saved/,
    ],
    [
      'a watched file that was deleted',
      'import ctypes, os; c = ctypes.CDLL(None); f = open("/data/x", "w"); c.inotify_add_watch(c.inotify_init(), b"/data/x", 4095); os.unlink("/data/x")',
      /descriptor \d+ watches a file with inotify that has no path any more/,
    ],
  ];
  it.each(hopeless)('unless it has %s, which is refused untouched', async (what, code, words) => {
    const name = what.toLowerCase().replaceAll(' ', '-');
    const program = `${code}
import time
token = os.urandom(8).hex() if "os" in dir() else "0"
for count in range(1, 10**9):
    print(f"OK {count} token={token}", flush=True)
    time.sleep(0.2)`;
    const { source } = aToB();
    const command = ['python3', '-c', program];
    await bed.apply(
      sourcePod({ name, namespace, image: testWorkloads, nodeName: source, command }),
    );
    const before = await waitForWord(aToB(), name, 0);
    await bed.apply(snapshotOf({ name, namespace, pod: name }));
    const { status } = await waitForEnd(bed, namespace, name, 60_000);
    expect(findCondition(status.conditions, 'Failed'), JSON.stringify(status)).toMatchObject({
      status: 'True',
      reason: 'PreflightFailed',
      message: expect.stringMatching(words),
    });
    expect(status.sourceState).toBe('Untouched');
    await waitForWord(aToB(), name, before.count + 1);
  });
});
