import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../core/clock.ts';
import { Failure, isFailure } from '../core/failure.ts';
import type { ConnectedKube, connectKube } from '../runtime/kube.ts';
import { serverNow } from '../runtime/kube-port.ts';
import { RemediedFailure } from './complaint.ts';
import { parseDuration } from './duration.ts';
import type { ExitCode, Terminal } from './terminal.ts';

/** What every command gets from the program. */
export type CliContext = {
  readonly terminal: Terminal;
  /** How to reach a cluster; the real thing outside tests. */
  readonly connect: typeof connectKube;
  /** Hears a command's exit code. */
  readonly end: (code: ExitCode) => void;
};

/** The flags that say which cluster, as kubectl has them. */
export type KubeOptions = {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  /** Milliseconds. */
  readonly requestTimeout: number;
};

/** A connection and where in the cluster the command works. */
export type KubeSession = {
  readonly kube: ConnectedKube;
  /** Of the flag, else of the context, else `default`. */
  readonly namespace: string;
  readonly terminal: Terminal;
  /** The API server's wall clock, milliseconds: ages are measured against it, the clock here may be wrong. */
  readonly now: () => number;
};

/** Longest time a timer can be set to; what `--request-timeout 0` stands for. */
const endlessMilliseconds = 2_147_483_647;

/** A flag's value such as `90s` or `1h30m`, in milliseconds; 0 is no limit. */
export function timeArgument(text: string): number {
  const milliseconds = /^[0-9]{1,6}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (milliseconds === undefined)
    throw new InvalidArgumentError('must be a time such as 30s or 5m.');
  return milliseconds === 0 ? endlessMilliseconds : Math.min(milliseconds, endlessMilliseconds);
}

/** Adds the flags that say which cluster and namespace. */
export function addKubeOptions(command: Command): Command {
  const timeout = clusterOption(
    '--request-timeout <time>',
    'how long one request may take; 0: no limit',
  );
  return command
    .addOption(clusterOption('-n, --namespace <name>', 'default: that of the context'))
    .addOption(clusterOption('--kubeconfig <file>', 'default: $KUBECONFIG, then ~/.kube/config'))
    .addOption(clusterOption('--context <name>', 'of the kubeconfig'))
    .addOption(clusterOption('--cluster <name>', 'in place of that of the context'))
    .addOption(clusterOption('--user <name>', 'in place of that of the context'))
    .addOption(timeout.argParser(timeArgument).default(15_000, '15s'));
}

const clusterOption = (flags: string, description: string): Option =>
  new Option(flags, description).helpGroup('Where:');

/** Adds `-A`, for commands that show objects of many namespaces. */
export const addAllNamespacesOption = (command: Command): Command =>
  command.addOption(clusterOption('-A, --all-namespaces', 'of all namespaces').default(false));

/** Connects as the flags say, works, closes. A server that cannot be reached is named in what is thrown. */
export async function withKube(
  options: KubeOptions,
  { terminal, connect, end }: CliContext,
  work: (session: KubeSession) => Promise<ExitCode>,
): Promise<void> {
  const { kubeconfig, context, cluster, user } = options;
  const kube = await connect({
    ...(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig }),
    ...(context === undefined ? {} : { context }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(user === undefined ? {} : { user }),
    requestTimeoutMilliseconds: options.requestTimeout,
    userAgent: 'cryopod-cli',
    onWarning: (text) => terminal.errors.write(`Warning: ${text}\n`),
  });
  try {
    const namespace = options.namespace ?? (kube.namespace || 'default');
    const now = (): number =>
      serverNow(kube, systemClock.monotonicMilliseconds()) ?? terminal.now();
    end(await work({ kube, namespace, terminal, now }));
  } catch (error) {
    throw namingServer(error, kube.server);
  } finally {
    kube.close();
  }
}

function namingServer(error: unknown, server: string): unknown {
  if (!isFailure(error, 'retry') || !['ConnectionFailed', 'Timeout'].includes(error.reason)) {
    return error;
  }
  const message = `${server} does not answer: ${error.message}`;
  const named = new Failure('retry', error.reason, message, { cause: error });
  return error instanceof RemediedFailure ? new RemediedFailure(named, error.remedy) : named;
}
