import type { Command } from 'commander';
import { timeoutOption } from '../arguments.ts';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import { type OutputForm, outputOption } from '../output.ts';
import { exitCodesText } from '../terminal.ts';
import { cancelCapture } from './cancel/cancel-capture.ts';

type Options = KubeOptions & {
  readonly wait: boolean;
  readonly timeout: number;
  readonly output: OutputForm;
};

/** `cryopod cancel NAME`: stops a capture; the pod runs on. */
export function registerCancel(program: Command, context: CliContext): void {
  const command = program
    .command('cancel')
    .description('stop a capture: its pod runs on, the snapshot is Failed with Cancelled')
    .argument('<name>', 'NAME or snapshot/NAME')
    .option('--wait', 'until the capture has ended', false)
    .addOption(timeoutOption('with --wait, how long at most; 0: until its deadline'))
    .addOption(outputOption('table', 'json', 'yaml', 'name'));
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod cancel web-x2k4p
  cryopod cancel snapshot/web-x2k4p -n team --wait

A capture that has ended cannot be cancelled; one that is Ready before the wish arrives stays so, and --wait ends with 1.
A restore is stopped by deleting it: cryopod delete restore/NAME.
${exitCodesText}`,
    )
    .action((name: string, { wait, timeout, output, ...options }: Options) =>
      withKube(options, context, (session) =>
        cancelCapture(session, name, { wait, output, timeoutMilliseconds: timeout }),
      ),
    );
}
