import * as z from 'zod';
import { downBed, upBed } from '../bed/bed.ts';
import { installDriver, runDriver } from '../integration/criu-node.ts';
import { installMemory, startMemory } from '../integration/memory-workload.ts';

/*
 * Freeze of one source with its memory written by CRIU itself and through the page server, in turn, in the same run on a bed of its own:
 *   node test/bench/memory-path.ts [MEBIBYTES] [PAIRS]
 */
const mebibytes = process.argv[2] ?? '1024';
const pairs = Number(process.argv[3] ?? 5);
const name = 'memory-bench';
const node = 'node-a';
const paths = ['files', 'page-server'] as const;

const released = z.object({ result: z.object({ freezeMilliseconds: z.number() }) });
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const bed = await upBed({ name, nodes: 1 });
try {
  installDriver(bed, node);
  await installMemory(bed, node);
  const source = await startMemory(bed, node, 'source', ['0', mebibytes]);
  const freezes: Record<(typeof paths)[number], number[]> = { files: [], 'page-server': [] };
  // The first of each warms up and does not count.
  for (let pair = 0; pair <= pairs; pair += 1) {
    for (const memoryPath of paths) {
      const stagingDirectory = `/var/lib/cryopod/staging/bench-${pair}-${memoryPath}`;
      const events = await runDriver(bed, node, { ...source, stagingDirectory, memoryPath });
      await bed.node(node).exec(['rm', '-rf', stagingDirectory]);
      const end = released.safeParse(events.at(-1));
      if (!end.success) throw new Error(JSON.stringify(events));
      const freeze = end.data.result.freezeMilliseconds;
      if (pair > 0) freezes[memoryPath].push(freeze);
      console.log(`${pair === 0 ? 'warm-up' : `pair ${pair}`} ${memoryPath}: ${freeze} ms`);
    }
  }
  const [files, pages] = paths.map((path) => median(freezes[path]));
  console.log(`median freeze of ${mebibytes} MiB: files ${files} ms, page-server ${pages} ms`);
} finally {
  await downBed(name);
}
