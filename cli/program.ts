import { Command, CommanderError, Help } from 'commander';
import { connectKube } from '../runtime/kube.ts';
import { registerArtifact } from './commands/artifact.ts';
import { registerCancel } from './commands/cancel.ts';
import { registerCheckpoint } from './commands/checkpoint.ts';
import { complete } from './commands/completion/complete.ts';
import { completeWord } from './commands/completion/scripts.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerDelete } from './commands/delete.ts';
import { registerDescribe } from './commands/describe.ts';
import { registerDiff } from './commands/diff.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerExplain } from './commands/explain.ts';
import { registerInspect } from './commands/inspect.ts';
import { registerList } from './commands/list.ts';
import { registerRestore } from './commands/restore.ts';
import { registerWait } from './commands/wait.ts';
import { complain } from './complaint.ts';
import type { CliContext } from './kube-session.ts';
import { type ExitCode, exitCodes, exitCodesText, type Terminal } from './terminal.ts';

/** Each adds a command, in the order of the help. */
const registrations: readonly ((program: Command, context: CliContext) => void)[] = [
  registerExplain,
  registerCheckpoint,
  registerRestore,
  registerList,
  registerDescribe,
  registerWait,
  registerCancel,
  registerDelete,
  registerInspect,
  registerDiff,
  registerDoctor,
  registerArtifact,
  registerCompletion,
];

const usual = new Help();
const isNothing = (value: unknown): boolean =>
  value === false || (typeof value === 'object' && Object.keys(value ?? {}).length === 0);

/** The whole command line; `context.end` hears the exit code of the command that ran. */
export function cryopodProgram(context: CliContext): Command {
  const { output, errors } = context.terminal;
  const program = new Command('cryopod')
    .description('Checkpoints of Kubernetes pods: take them, look at them, restore them')
    .exitOverride()
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({
      writeOut: (text) => output.write(text),
      writeErr: (text) => errors.write(text),
      getOutHelpWidth: context.terminal.columns,
      getErrHelpWidth: context.terminal.columns,
    })
    .configureHelp({
      // Nothing is no default worth a line.
      optionDescription: (option) =>
        isNothing(option.defaultValue) ? option.description : usual.optionDescription(option),
    })
    .addHelpText(
      'after',
      `\n${exitCodesText}\nAlso \`kubectl cryopod\`, once a program kubectl-cryopod is on the PATH. Flags come after the command.`,
    );
  for (const register of registrations) register(program, context);
  return program;
}

/** Runs `cryopod` with the words after its name; never throws. `connect`: how commands that need a cluster reach it. */
export async function runCli(
  words: readonly string[],
  terminal: Terminal,
  connect: typeof connectKube = connectKube,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const end = (ended: ExitCode): void => {
    code = ended;
  };
  const context = { terminal, connect, end };
  const program = cryopodProgram(context);
  try {
    if (words[0] === completeWord) await complete(program, words.slice(1), context);
    else await program.parseAsync(words, { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) return complain(error, terminal);
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
}
