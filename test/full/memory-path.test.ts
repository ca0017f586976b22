import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import { allProcessesOf, installDriver, processesOf, runDriver } from '../integration/criu-node.ts';
import { installMemory, startMemory } from '../integration/memory-workload.ts';

const bedName = 'memory-path';
const node = 'node-a';
const soonMs = 30_000;
const paths = ['files', 'page-server'] as const;

let bed: Bed;
let captures = 0;

const inNode = async (command: string): Promise<string> =>
  (await bed.node(node).exec(['sh', '-c', command], { timeoutMs: 60_000 })).stdout.trim();

/** An order for a fresh staging directory. */
function order(source: object, change: object) {
  captures += 1;
  return { ...source, stagingDirectory: `/var/lib/cryopod/staging/memory-${captures}`, ...change };
}

beforeAll(async () => {
  bed = await upBed({ name: bedName, nodes: 1 });
  installDriver(bed, node);
  await installMemory(bed, node);
});

afterAll(() => downBed(bedName));

describe('the page server', () => {
  test('makes of a tree of 200 processes with shared memory the very images that CRIU makes', async () => {
    const quiet = await startMemory(bed, node, 'quiet', ['199', '16']);
    const directories: string[] = [];
    for (const memoryPath of paths) {
      const capture = order(quiet, { memoryPath });
      const events = await runDriver(bed, node, capture);
      expect(events.at(-1), JSON.stringify(events)).toMatchObject({ event: 'released' });
      directories.push(`${capture.stagingDirectory}/containers/main/criu`);
    }
    const [files, pages] = directories;
    const list = (directory: string | undefined): Promise<string> =>
      inNode(`cd ${directory} && ls | grep -vE '^(dump.log|stats-dump)$'`);
    const names = (await list(files)).split('\n');
    expect((await list(pages)).split('\n')).toEqual(names);
    const compare = `cd ${files} && for f in pages-* pagemap-*; do cmp "$f" "${pages}/$f" || true; done; ls pagemap-[0-9]* | wc -l; ls pagemap-shmem-* | wc -l`;
    expect((await inNode(compare)).split('\n')).toEqual(['200', '2']);
    const grepped = await inNode(`grep -c 'Splicing .* bytes into socket' ${pages}/dump.log`);
    expect(Number(grepped)).toBeGreaterThan(200);
    // Two dumps of 200 processes, byte by byte compared, on a machine that may be busy.
  }, 300_000);
});

describe.each(paths)('a dump of 512 MiB by %s', (memoryPath) => {
  let source: object = {};
  const name = `large-${memoryPath}`;

  beforeAll(async () => {
    source = await startMemory(bed, node, name, ['3', '512', 'tick']);
  });
  afterAll(() => bed.kubectl(['delete', 'pod', name, '--wait=false', '--force']));

  const ticks = async (): Promise<number> => {
    const log = await bed.kubectl(['logs', name, '--tail=1']).catch(() => '');
    return Number(/tick (\d+)/.exec(log)?.[1] ?? 0);
  };
  const expectTicking = async (): Promise<void> => {
    const before = await ticks();
    const on = async () => (await ticks()) > before + 2 || undefined;
    await bed.waitFor('the source to tick on', on, soonMs);
  };

  test('tells how far it is, and is complete', async () => {
    const events = await runDriver(bed, node, order(source, { memoryPath }));
    const end = events.at(-1);
    expect(end, JSON.stringify(events)).toMatchObject({ event: 'released' });
    expect(end?.progress).toEqual(expect.arrayContaining([expect.any(Number)]));
    await expectTicking();
  });

  test('is cut short in the middle of its memory, and the source runs at once', async () => {
    const capture = order(source, { memoryPath, abortAt: 'writing' });
    const events = await runDriver(bed, node, capture);
    const timed = events.find(({ event }) => event === 'timed');
    expect(Number(timed?.bytesWritten), JSON.stringify(events)).toBeLessThan(512 * 1024 * 1024);
    expect(Number(timed?.milliseconds)).toBeLessThan(2000);
    const { criu } = processesOf(events);
    expect(await inNode(`test -e /proc/${criu.pid} && echo there`)).toBe('');
    expect(
      await inNode(
        `grep -c 'Running post-dump' ${capture.stagingDirectory}/containers/main/criu/dump.log`,
      ),
    ).toBe('0');
    await expectTicking();
  });

  test('that outlasts its budget is undone, with the bytes it had written', async () => {
    const events = await runDriver(
      bed,
      node,
      order(source, { memoryPath, freezeBudgetSeconds: 0.1 }),
    );
    expect(events.at(-1), JSON.stringify(events)).toMatchObject({
      event: 'failed',
      reason: 'FreezeBudgetExceeded',
      message: expect.stringMatching(/freezeBudgetSeconds \(0\.1\); .* were written/),
    });
    await expectTicking();
  });

  test('of an agent that dies in the middle of it ends by itself or is cut short by the next one', async () => {
    const capture = order(source, { memoryPath, dieAt: 'writing' });
    const events = await runDriver(bed, node, capture);
    const { criu } = processesOf(events);
    const { stagingDirectory } = capture;
    const settle = order(source, { stagingDirectory, settle: allProcessesOf(events) });
    const settled = await runDriver(bed, node, settle);
    expect(settled).toEqual([{ event: 'settled', sourceRuns: true }]);
    expect(await inNode(`test -e /proc/${criu.pid} && echo there`)).toBe('');
    await expectTicking();
  });
});
