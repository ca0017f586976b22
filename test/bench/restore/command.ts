import { Command } from 'commander';
import { largestSize, sizesOf, usualSizes } from '../capture/command.ts';
import type { Register } from '../main.ts';
import { wholeNumber } from '../numbers.ts';
import { runRestore } from './run.ts';

/** `npm run bench -- restore`. */
export function registerRestore(register: Register): void {
  const command = new Command('restore')
    .description('Restores on a real node beside bare CRIU, one and many at once')
    .option('--name <bed>', 'name of the bed it makes and removes', 'bench')
    .option('--sizes <mebibytes>', 'memory of what is restored', sizesOf, usualSizes)
    .option('--all', `${largestSize} MiB as well`, false)
    .option('--rounds <count>', 'rounds that count, after one that warms up', wholeNumber, 3)
    .option('--counts <numbers>', 'restores at once', sizesOf, [1, 4, 16])
    .option('--each <mebibytes>', 'memory of each of them', wholeNumber, 256);
  type Given = {
    readonly name: string;
    readonly sizes: readonly number[];
    readonly all: boolean;
    readonly rounds: number;
    readonly counts: readonly number[];
    readonly each: number;
  };
  register(command, ({ name, sizes, all, rounds, counts, each }: Given) =>
    runRestore({
      bedName: name,
      sizes: all ? [...sizes, largestSize] : sizes,
      parallel: { mebibytes: each, counts },
      ...{ rounds, warmUp: true },
      log: (line) => process.stderr.write(`bench: ${line}\n`),
    }),
  );
}
