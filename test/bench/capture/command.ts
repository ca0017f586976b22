import { Command, InvalidArgumentError } from 'commander';
import type { Register } from '../main.ts';
import { wholeNumber } from '../numbers.ts';
import { runCapture } from './run.ts';

/** Mebibytes that the benches of captures and restores take unless told. */
export const usualSizes = [64, 256, 1024];
export const largestSize = 4096;

/** An option's argument that must be whole numbers from 1. */
export function sizesOf(text: string): readonly number[] {
  const sizes = text.split(',').map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size > 0)) return sizes;
  throw new InvalidArgumentError('It must be whole numbers from 1, with commas between.');
}

/** `npm run bench -- capture`. */
export function registerCapture(register: Register): void {
  const command = new Command('capture')
    .description('Captures on a real node beside bare CRIU, the kubelet, cp, sha256sum and zstd')
    .option('--name <bed>', 'name of the bed it makes and removes', 'bench')
    .option('--sizes <mebibytes>', 'memory of the sources', sizesOf, usualSizes)
    .option('--all', `${largestSize} MiB as well`, false)
    .option('--rounds <count>', 'rounds that count, after one that warms up', wholeNumber, 3)
    .option('--content <kind>', 'random, text or both', 'both');
  type Given = {
    readonly name: string;
    readonly sizes: readonly number[];
    readonly all: boolean;
    readonly rounds: number;
    readonly content: string;
  };
  register(command, ({ name, sizes, all, rounds, content }: Given) =>
    runCapture({
      bedName: name,
      sizes: all ? [...sizes, largestSize] : sizes,
      contents: (['random', 'text'] as const).filter((one) => ['both', one].includes(content)),
      ...{ rounds, warmUp: true },
      idleSeconds: 20,
      log: (line) => process.stderr.write(`bench: ${line}\n`),
    }),
  );
}
