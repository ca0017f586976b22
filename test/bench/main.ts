import { join } from 'node:path';
import { Command, Option } from 'commander';
import { repositoryRoot } from '../bed/images/recipes.ts';
import { registerControlPlane } from './control-plane/command.ts';
import type { BenchResult } from './report.ts';
import { lookAround, publishResult } from './report.ts';

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
      const around = lookAround();
      const result = await run(options);
      await publishResult(result, around(), options);
    });
  program.addCommand(command);
};

registerControlPlane(register);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
