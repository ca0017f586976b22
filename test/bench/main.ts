import { join } from 'node:path';
import { Command, Option } from 'commander';
import { downBed } from '../bed/bed.ts';
import { repositoryRoot } from '../bed/images/recipes.ts';
import { registerCapture } from './capture/command.ts';
import { registerControlPlane } from './control-plane/command.ts';
import { registerMemoryPath } from './memory-path-command.ts';
import { registerPublish } from './publish-command.ts';
import type { BenchResult } from './report.ts';
import { lookAround, publishResult } from './report.ts';
import { registerRestore } from './restore/command.ts';

const program = new Command('npm run bench --')
  .description('Measures Cryopod on this machine, beside what the same machine does without it')
  .enablePositionalOptions()
  .showHelpAfterError();

/** Adds a bench; each prints a table or JSON and writes its figures to a file. */
export type Register = <Options extends object>(
  command: Command,
  run: (options: Options) => Promise<BenchResult>,
) => void;

const register: Register = (command, run) => {
  const file = join(repositoryRoot, 'bench-results', `${command.name()}.json`);
  command
    .addOption(
      new Option('-o, --output <form>', 'what to print')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('--file <path>', 'where to write the figures as JSON', file)
    .action(async (options) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        // Nothing of a bed may be left, and what runs on it ends with it.
        process.once(signal, () => {
          const gone = options.name === undefined ? Promise.resolve() : downBed(options.name);
          void gone.finally(() => process.exit(130));
        });
      }
      const around = lookAround();
      const result = await run(options);
      await publishResult(result, around(), options);
    });
  program.addCommand(command);
};

registerControlPlane(register);
registerCapture(register);
registerRestore(register);
registerPublish(register);
registerMemoryPath(register);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
