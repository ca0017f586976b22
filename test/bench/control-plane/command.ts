import { Command } from 'commander';
import type { Register } from '../main.ts';
import { wholeNumber } from '../numbers.ts';
import { type ControlPlaneOptions, runControlPlane } from './run.ts';

/** `npm run bench -- control-plane`. */
export function registerControlPlane(register: Register): void {
  const command = new Command('control-plane')
    .description(
      'The controller against a real API server with simulated agents: writes, hops, memory, restart',
    )
    .option('--name <bed>', 'name of the bed it makes and removes', 'bench')
    .option('--agents <count>', 'simulated agents', wholeNumber, 100)
    .option(
      '--at-rest <count>',
      'objects that have ended: half snapshots, half contents',
      wholeNumber,
      10_000,
    )
    .option('--per-second <count>', 'snapshots that arrive in a second', wholeNumber, 25)
    .option('--in-flight <count>', 'snapshots in flight at once', wholeNumber, 1_000)
    .option(
      '--plateau <seconds>',
      'how long they go on arriving with so many in flight',
      wholeNumber,
      20,
    );
  type Given = Omit<ControlPlaneOptions, 'bedName' | 'plateauSeconds' | 'log'> & {
    readonly name: string;
    readonly plateau: number;
  };
  register(command, ({ name, plateau, ...options }: Given) =>
    runControlPlane({
      ...options,
      bedName: name,
      plateauSeconds: plateau,
      log: (line) => process.stderr.write(`bench: ${line}\n`),
    }),
  );
}
