import { type Command, Option } from 'commander';
import { addCaptureOptions, podArgument } from '../arguments.ts';
import {
  addKubeOptions,
  type CliContext,
  type KubeOptions,
  timeArgument,
  withKube,
} from '../kube-session.ts';
import { outputOption } from '../output.ts';
import { exitCodesText } from '../terminal.ts';
import { explainPod, type Question } from './explain/explain-pod.ts';

type Options = KubeOptions &
  Omit<Question, 'pod' | 'containers' | 'waitMilliseconds'> & {
    readonly container: readonly string[];
    readonly timeout: number;
    readonly output: 'table' | 'json' | 'yaml';
  };

/** `cryopod explain pod/NAME`: what a capture of a running pod would be. */
export function registerExplain(program: Command, context: CliContext): void {
  const command = addCaptureOptions(
    program
      .command('explain')
      .description(
        'what a capture of a running pod would take, lose and be stopped by; freezes nothing',
      )
      .argument('<pod>', 'pod/NAME', podArgument),
  )
    .addOption(
      new Option('--timeout <time>', 'how long to wait for the agent of the node')
        .argParser(timeArgument)
        .default(60_000, '60s'),
    )
    .addOption(outputOption('table', 'json', 'yaml'));
  addKubeOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  cryopod explain pod/web
  cryopod explain web -n team -c main --tcp Refuse -o json

Needs the rights to create pods/exec and podsnapshotexplanations.cryopod.dev in the namespace.
Exit code 6: it cannot be captured. ${exitCodesText}`,
    )
    .action((pod: string, { container, timeout, output, ...rest }: Options) =>
      withKube(rest, context, (session) => {
        const { afterCapture, tcp } = rest;
        const asked = { pod, afterCapture, tcp, containers: container, waitMilliseconds: timeout };
        return explainPod(session, asked, output);
      }),
    );
}
