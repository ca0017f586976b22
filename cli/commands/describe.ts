import type { Command } from 'commander';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import { exitCodesText } from '../terminal.ts';
import { describeRequest } from './describe/describe-request.ts';

/** `cryopod describe NAME`: all that is known of one request. */
export function registerDescribe(program: Command, context: CliContext): void {
  const command = program
    .command('describe')
    .description('all about one snapshot or restore: source, stages, figures, conditions, events')
    .argument('<name>', 'NAME of a snapshot or restore, or KIND/NAME');
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod describe web-x2k4p
  cryopod describe restore/web-x2k4p-9d7fh -n team

\`Waits for\` is the one thing that the request waits for. For the object itself: kubectl get -o yaml.
${exitCodesText}`,
    )
    .action((name: string, options: KubeOptions) =>
      withKube(options, context, (session) => describeRequest(session, name)),
    );
}
