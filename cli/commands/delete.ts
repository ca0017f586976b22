import type { Command } from 'commander';
import { timeoutOption } from '../arguments.ts';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import { type OutputForm, outputOption } from '../output.ts';
import { exitCodesText } from '../terminal.ts';
import { deleteRequests } from './delete/delete-requests.ts';

type Options = KubeOptions & {
  readonly yes: boolean;
  readonly wait: boolean;
  readonly timeout: number;
  readonly output: OutputForm;
};

/** `cryopod delete NAME...`: removes requests, and with them what their policy says. */
export function registerDelete(program: Command, context: CliContext): void {
  const command = program
    .command('delete')
    .description('remove snapshots with their bytes, restores, checkpoints, jobs')
    .argument('<names...>', 'NAME of a snapshot or restore, or KIND/NAME')
    .option('-y, --yes', 'do not ask what is lost', false)
    .option('--wait', 'until they are gone, bytes included', false)
    .addOption(timeoutOption('with --wait, how long at most for each; 0: no limit'))
    .addOption(outputOption('table', 'name'));
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod delete web-x2k4p
  cryopod delete snapshot/web-x2k4p restore/web-x2k4p-9d7fh --yes --wait

On a terminal it says what is lost and asks; elsewhere it does not ask. A snapshot with deletionPolicy Delete takes its bytes
with it. A restore takes its pod with it unless that is restored already.
${exitCodesText}`,
    )
    .action((names: readonly string[], { yes, wait, timeout, output, ...options }: Options) =>
      withKube(options, context, (session) =>
        deleteRequests(session, names, { yes, wait, output, timeoutMilliseconds: timeout }),
      ),
    );
}
