import { type Command, InvalidArgumentError, Option } from 'commander';
import { timeoutOption } from '../arguments.ts';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import { type OutputForm, outputOption } from '../output.ts';
import { type Goal, parseGoal } from '../request/goal.ts';
import { exitCodesText } from '../terminal.ts';
import { waitFor } from './wait/wait-for.ts';

type Options = KubeOptions & {
  readonly for?: Goal;
  readonly timeout: number;
  readonly output: OutputForm;
};

function goalArgument(text: string): Goal {
  const goal = parseGoal(text);
  if (goal !== undefined) return goal;
  throw new InvalidArgumentError(
    'must be ready, restored, ended, deleted or condition=TYPE[=STATUS].',
  );
}

/** `cryopod wait NAME`: until a request has ended, or something else is so. */
export function registerWait(program: Command, context: CliContext): void {
  const command = program
    .command('wait')
    .description('wait for a request, showing its progress')
    .argument('<name>', 'NAME of a snapshot or restore, or KIND/NAME')
    .addOption(
      new Option(
        '--for <what>',
        'ready, restored, ended, deleted or condition=TYPE[=STATUS]; default: ready, of a restore restored',
      ).argParser(goalArgument),
    )
    .addOption(timeoutOption('how long at most; 0: until its deadline'))
    .addOption(outputOption('table', 'json', 'yaml', 'name'));
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod wait web-x2k4p
  cryopod wait restore/web-x2k4p-9d7fh --for restored --timeout 5m
  cryopod wait snapshot/web-x2k4p --for condition=Failed -o json

Ends with 1 as soon as what is waited for cannot come any more: a capture that has failed is never ready, and a pod that was
started cold is not restored.
${exitCodesText}`,
    )
    .action((name: string, { timeout, output, ...options }: Options) =>
      withKube(options, context, (session) =>
        waitFor(session, name, { goal: options.for, output, timeoutMilliseconds: timeout }),
      ),
    );
}
