import { type Command, Option } from 'commander';
import {
  addKubeOptions,
  type CliContext,
  type KubeOptions,
  timeArgument,
  withKube,
} from '../kube-session.ts';
import { outputOption, structured } from '../output.ts';
import { exitCodes, exitCodesText } from '../terminal.ts';
import { reportText } from './doctor/report.ts';
import { runDoctor } from './doctor/run-doctor.ts';

type Options = KubeOptions & {
  readonly canary: boolean;
  readonly node: readonly string[];
  readonly image?: string;
  readonly initImage?: string;
  readonly timeout: number;
  readonly output: 'table' | 'json' | 'yaml';
};

const another = (name: string, names: readonly string[]): readonly string[] => [...names, name];

/** `cryopod doctor`: whether captures and restores work, on every node. */
export function registerDoctor(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .description('tests the installation: captures and restores a canary on every node')
    .option('--no-canary', 'only look, make nothing')
    .option('--node <name>', 'this node only, may be repeated', another, [])
    .option('--image <image>', "of the canary, with sh and sleep; default: the agents' own")
    .option(
      '--init-image <image>',
      "of the placeholder's init; default: what the controller is told",
    )
    .addOption(
      new Option('--timeout <time>', 'how long each step on a node may take')
        .argParser(timeArgument)
        .default(120_000, '2m'),
    )
    .addOption(outputOption('table', 'json', 'yaml'));
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod doctor
  cryopod doctor --node node-a -o json

The canary is a pod without any privilege in a namespace of its own, which takes restricted pods only and is removed afterwards, on Ctrl-C too.
Exit code 1: something failed. ${exitCodesText}`,
    )
    .action(({ node, output, canary, image, initImage, timeout, ...rest }: Options) =>
      withKube(rest, context, async (session) => {
        const images = {
          ...(image === undefined ? {} : { image }),
          ...(initImage === undefined ? {} : { initImage }),
        };
        const report = await runDoctor(session, { canary, nodes: node, timeout, ...images });
        const text = output === 'table' ? reportText(report) : structured(output, report);
        session.terminal.output.write(text);
        return report.healthy ? exitCodes.done : exitCodes.failed;
      }),
    );
}
