import { Command, CommanderError } from 'commander';
import { errorText } from '../core/failure.ts';
import { connectKube } from '../runtime/kube.ts';
import { registerArtifact } from './commands/artifact.ts';
import { registerExplain } from './commands/explain.ts';
import { type ExitCode, exitCodes, type Terminal } from './terminal.ts';

/** Runs `cryopod` with the words after its name; never throws. `connect`: how commands that need a cluster reach it. */
export async function runCli(
  words: readonly string[],
  terminal: Terminal,
  connect: typeof connectKube = connectKube,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const program = new Command('cryopod')
    .description('Checkpoints of Kubernetes pods')
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({
      writeOut: (text) => terminal.output.write(text),
      writeErr: (text) => terminal.errors.write(text),
    });
  const end = (ended: ExitCode): void => {
    code = ended;
  };
  registerArtifact(program, terminal, end);
  registerExplain(program, terminal, connect, end);
  try {
    await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.done;
      // Its 2 says that a pod cannot be captured; a script must not read that from a mistyped option.
      return words[0] === 'explain' ? exitCodes.failed : exitCodes.usage;
    }
    terminal.errors.write(`error: ${errorText(error)}\n`);
    return exitCodes.failed;
  }
}
