import { Command } from 'commander';
import * as z from 'zod';
import { downBed, upBed } from '../bed/bed.ts';
import { installDriver, runDriver } from '../integration/criu-node.ts';
import { installMemory, startMemory } from '../integration/memory-workload.ts';
import { spreadOf } from './figures.ts';
import type { Register } from './main.ts';
import { wholeNumber } from './numbers.ts';
import { type BenchResult, shown } from './report.ts';

const node = 'node-a';
const paths = ['files', 'page-server'] as const;
const released = z.object({ result: z.object({ freezeMilliseconds: z.number() }) });

export type MemoryPathOptions = {
  readonly bedName: string;
  readonly mebibytes: number;
  readonly pairs: number;
};

/** Freeze of one source with its memory written by CRIU itself and through the page server, in turn, in the same run. */
export async function runMemoryPath(options: MemoryPathOptions): Promise<BenchResult> {
  const { bedName, mebibytes, pairs } = options;
  const bed = await upBed({ name: bedName, nodes: 1 });
  try {
    installDriver(bed, node);
    await installMemory(bed, node);
    const source = await startMemory(bed, node, 'source', ['0', String(mebibytes)]);
    const freezes: Record<(typeof paths)[number], number[]> = { files: [], 'page-server': [] };
    // The first of each warms up and does not count.
    for (let pair = 0; pair <= pairs; pair += 1) {
      for (const memoryPath of paths) {
        const stagingDirectory = `/var/lib/cryopod/staging/bench-${pair}-${memoryPath}`;
        const events = await runDriver(bed, node, { ...source, stagingDirectory, memoryPath });
        await bed.node(node).exec(['rm', '-rf', stagingDirectory]);
        const end = released.safeParse(events.at(-1));
        if (!end.success) throw new Error(JSON.stringify(events));
        if (pair > 0) freezes[memoryPath].push(end.data.result.freezeMilliseconds);
      }
    }
    return {
      name: 'memory-path',
      goals: [],
      tables: [
        {
          title: `Freeze of ${mebibytes} MiB, milliseconds`,
          heading: ['MEMORY PATH', 'MEDIAN', 'LEAST', 'MOST'],
          rows: paths.map((path) => {
            const { median, least, greatest } = spreadOf(freezes[path]);
            return [path, shown(median), shown(least), shown(greatest)];
          }),
        },
      ],
      notes: [],
      data: { options, freezes },
    };
  } finally {
    await downBed(bedName);
  }
}

/** `npm run bench -- memory-path`. */
export function registerMemoryPath(register: Register): void {
  const command = new Command('memory-path')
    .description('The freeze with memory written by CRIU itself and through the page server')
    .option('--name <bed>', 'name of the bed it makes and removes', 'bench')
    .option('--mebibytes <count>', 'memory of the source', wholeNumber, 1024)
    .option('--pairs <count>', 'captures that count, of each', wholeNumber, 5);
  type Given = Omit<MemoryPathOptions, 'bedName'> & { readonly name: string };
  register(command, ({ name, ...options }: Given) => runMemoryPath({ ...options, bedName: name }));
}
