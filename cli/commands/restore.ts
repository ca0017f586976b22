import { type Command, InvalidArgumentError, Option } from 'commander';
import { addCreateOptions, keyValue, secondsBetween, wholeNumber } from '../arguments.ts';
import { addKubeOptions, type CliContext, type KubeOptions, withKube } from '../kube-session.ts';
import type { OutputForm } from '../output.ts';
import type { dryRuns } from '../request/create-request.ts';
import { exitCodesText } from '../terminal.ts';
import {
  type ContainerValue,
  type RestoreWish,
  restoreSnapshot,
} from './restore/restore-snapshot.ts';

type Options = KubeOptions &
  Omit<RestoreWish, 'snapshot'> & {
    readonly dryRun: (typeof dryRuns)[number];
    readonly wait: boolean;
    readonly timeout: number;
    readonly output: OutputForm;
  };

/** `snapshot/web` -> `web`. */
function snapshotArgument(text: string): string {
  const name = /^(?:(?:pod)?snapshots?\/|podsnap\/)?([^/]+)$/.exec(text)?.[1];
  if (name === undefined) throw new InvalidArgumentError('must be NAME or snapshot/NAME.');
  return name;
}

/** `CONTAINER:NAME=VALUE`, may be repeated. */
function containerValue(text: string, known: readonly ContainerValue[]): readonly ContainerValue[] {
  const [, container, name, value] = /^([^:=]+):([^=]+)=(.*)$/s.exec(text) ?? [];
  if (container === undefined || name === undefined || value === undefined) {
    throw new InvalidArgumentError('must be CONTAINER:NAME=VALUE.');
  }
  return [...known, { container, name, value }];
}

/** `cryopod restore SNAPSHOT`: asks for a PodRestore. */
export function registerRestore(program: Command, context: CliContext): void {
  const command = program
    .command('restore')
    .description('run a captured pod again, as a new pod: makes a PodRestore')
    .argument('<snapshot>', 'NAME or snapshot/NAME', snapshotArgument)
    .option('--name <name>', 'of the PodRestore; default: that of the snapshot and a suffix')
    .option('--pod-name <name>', 'of the new pod; default: that of the snapshot and a suffix')
    .option('--to-node <name>', 'the node to restore on; default: any that can take it')
    .option(
      '--node-selector <key=value>',
      'a label the node must have, may be repeated',
      keyValue,
      {},
    )
    .option('--label <key=value>', 'of the new pod, may be repeated', keyValue, {})
    .option('--annotation <key=value>', 'of the new pod, may be repeated', keyValue, {})
    .option(
      '--env <container:name=value>',
      'of a container that was not captured, may be repeated',
      containerValue,
      [],
    )
    .option(
      '--request <container:resource=quantity>',
      'not less than it was, may be repeated',
      containerValue,
      [],
    )
    .option(
      '--limit <container:resource=quantity>',
      'not less than it was, may be repeated',
      containerValue,
      [],
    )
    .addOption(
      new Option('--deadline <time>', 'from now until it must run')
        .argParser(secondsBetween(1, 604_800))
        .default(600, '10m'),
    )
    .addOption(
      new Option('--max-attempts <count>', 'containers that may be restored into')
        .argParser(wholeNumber(1, 10))
        .default(3),
    )
    .option('--cold-start', 'when it fails, start the pod afresh, without its state', false);
  addKubeOptions(addCreateOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  cryopod restore web-x2k4p --wait
  cryopod restore snapshot/web-x2k4p --to-node node-b --pod-name web-again
  cryopod restore web-x2k4p --limit main:memory=2Gi --cold-start --wait --timeout 5m

Needs the right to create pods in the namespace. With --wait a pod that was started cold is told on standard error;
it is a success only where --cold-start allows it.
${exitCodesText}`,
    )
    .action((snapshot: string, { timeout, ...options }: Options) =>
      withKube(options, context, (session) => {
        const { dryRun, output, wait } = options;
        const creating = { dryRun, output, wait, timeoutMilliseconds: timeout };
        return restoreSnapshot(session, { ...options, snapshot }, creating);
      }),
    );
}
