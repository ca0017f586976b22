import { Command, CommanderError } from 'commander';
import { errorText } from '../core/failure.ts';
import { registerArtifact } from './commands/artifact.ts';
import { type ExitCode, exitCodes, type Terminal } from './terminal.ts';

/** Runs `cryopod` with the words after its name; never throws. */
export async function runCli(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const program = new Command('cryopod')
    .description('Checkpoints of Kubernetes pods')
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({
      writeOut: (text) => terminal.output.write(text),
      writeErr: (text) => terminal.errors.write(text),
    });
  registerArtifact(program, terminal, (ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    terminal.errors.write(`error: ${errorText(error)}\n`);
    return exitCodes.failed;
  }
}
