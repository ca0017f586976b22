import { type Command, InvalidArgumentError, Option } from 'commander';
import type { connectKube } from '../../runtime/kube.ts';
import { parseDuration } from '../duration.ts';
import type { ExitCode, Terminal } from '../terminal.ts';
import { explainPod, type Question } from './explain/explain-pod.ts';

type Options = Omit<Question, 'pod' | 'containers' | 'waitMilliseconds'> & {
  readonly container: readonly string[];
  readonly timeout: number;
  readonly output: 'table' | 'json';
  readonly kubeconfig?: string;
  readonly context?: string;
};

const requestTimeoutMilliseconds = 15_000;

/** `web`, `pod/web`, `pods/web`, `po/web` -> `web`, as kubectl takes them. */
function podArgument(text: string): string {
  const name = /^(?:(?:pods?|po)\/)?([^/]+)$/.exec(text)?.[1];
  if (name === undefined) throw new InvalidArgumentError('must be pod/NAME.');
  return name;
}

function timeArgument(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError('must be a time such as 30s.');
  return milliseconds;
}

const another = (name: string, names: readonly string[]): readonly string[] => [...names, name];

/** `cryopod explain pod/NAME`: what a capture of a running pod would be. `end` hears its exit code. */
export function registerExplain(
  program: Command,
  terminal: Terminal,
  connect: typeof connectKube,
  end: (code: ExitCode) => void,
): void {
  program
    .command('explain')
    .description(
      'what a capture of a running pod would take, lose and be stopped by; freezes nothing',
    )
    .argument('<pod>', 'pod/NAME', podArgument)
    .option('-n, --namespace <name>', "the pod's; default: that of the context")
    .option(
      '-c, --container <name>',
      'a container to capture, may be repeated; default: all',
      another,
      [],
    )
    .addOption(
      new Option('--after-capture <what>', 'what becomes of the pod')
        .choices(['Resume', 'Terminate'])
        .default('Resume'),
    )
    .addOption(
      new Option('--tcp <what>', 'what becomes of established connections')
        .choices(['Close', 'Established', 'Refuse'])
        .default('Close'),
    )
    .addOption(
      new Option('--timeout <time>', 'how long to wait for the agent of the node')
        .argParser(timeArgument)
        .default(60_000, '60s'),
    )
    .addOption(
      new Option('-o, --output <form>', 'how to print').choices(['table', 'json']).default('table'),
    )
    .option('--kubeconfig <file>', 'default: $KUBECONFIG, then ~/.kube/config')
    .option('--context <name>', 'of the kubeconfig')
    .addHelpText(
      'after',
      '\nNeeds the rights to create pods/exec and podsnapshotexplanations.cryopod.dev in the namespace.\nExit codes: 0 it can be captured, 2 it cannot, 1 it could not be found out.',
    )
    .action(async (pod: string, options: Options) => {
      const { kubeconfig, context, container, timeout, output, ...question } = options;
      const kube = await connect({
        ...(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig }),
        ...(context === undefined ? {} : { context }),
        requestTimeoutMilliseconds,
        userAgent: 'cryopod-cli',
      });
      try {
        const asked = { ...question, pod, containers: container, waitMilliseconds: timeout };
        end(await explainPod(kube, asked, output, terminal));
      } finally {
        kube.close();
      }
    });
}
