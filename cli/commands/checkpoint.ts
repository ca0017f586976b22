import { type Command, Option } from 'commander';
import { addCaptureOptions, addCreateOptions, podArgument, secondsBetween } from '../arguments.ts';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import type { OutputForm } from '../output.ts';
import type { dryRuns } from '../request/create-request.ts';
import { exitCodesText } from '../terminal.ts';
import { type CheckpointWish, checkpointPod } from './checkpoint/checkpoint-pod.ts';

type Options = KubeOptions &
  Omit<CheckpointWish, 'pod' | 'containers'> & {
    readonly container: readonly string[];
    readonly dryRun: (typeof dryRuns)[number];
    readonly wait: boolean;
    readonly timeout: number;
    readonly output: OutputForm;
  };

/** `cryopod checkpoint POD`: asks for a PodSnapshot of a running pod. */
export function registerCheckpoint(program: Command, context: CliContext): void {
  const command = addCaptureOptions(
    program
      .command('checkpoint')
      .description('capture a running pod: makes a PodSnapshot')
      .argument('<pod>', 'NAME or pod/NAME', podArgument)
      .option('--name <name>', 'of the snapshot; default: that of the pod and a suffix'),
  )
    .addOption(
      new Option('--deadline <time>', 'from now until it must have ended')
        .argParser(secondsBetween(1, 604_800))
        .default(3600, '1h'),
    )
    .addOption(
      new Option(
        '--freeze-budget <time>',
        'how long the pod may stand still; default: no limit',
      ).argParser(secondsBetween(1, 3600)),
    )
    .addOption(
      new Option('--deletion-policy <what>', 'what deleting the snapshot does to the bytes')
        .choices(['Delete', 'Retain'])
        .default('Delete'),
    )
    .option('--no-wait-for-ready', 'capture also while containers are not Ready');
  addKubeOptions(addCreateOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  cryopod checkpoint web --wait
  cryopod checkpoint pod/web --name before-upgrade -n team --freeze-budget 10s
  cryopod checkpoint web --after-capture Terminate --dry-run=client -o yaml

Needs the right to create pods/exec in the namespace; with Terminate also to delete pods.
${exitCodesText}`,
    )
    .action((pod: string, { container, timeout, ...options }: Options) =>
      withKube(options, context, (session) => {
        const { dryRun, output, wait } = options;
        const wish = { ...options, pod, containers: container };
        return checkpointPod(session, wish, { dryRun, output, wait, timeoutMilliseconds: timeout });
      }),
    );
}
