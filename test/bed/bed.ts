import { join } from 'node:path';
import { attempt, type CommandOptions, type CommandResult } from './command.ts';
import { diagnosis } from './diagnosis.ts';
import { killPart, startPart } from './faults.ts';
import { loadArchive } from './load.ts';
import { withLock } from './lock.ts';
import { execInNode, runningInit } from './node.ts';
import { bedPaths } from './paths.ts';
import { elapsed, type Log } from './progress.ts';
import { type BedState, readState } from './state.ts';
import { sweepBed } from './sweep.ts';
import { until } from './until.ts';
import { isHealthy, makeBed } from './up.ts';

/** A node as tests use it. */
export type BedNode = {
  readonly name: string;
  /** Runs a command in the node's namespaces and cgroups; a failing one is a result, not an error. */
  readonly exec: (argv: readonly string[], options?: CommandOptions) => Promise<CommandResult>;
  /** The node's root as the host sees it, looked up at each use. Throws while the node is down. */
  readonly rootPath: string;
};

/** A running bed: what tests, the demo and the command line do with it. */
export type Bed = {
  readonly name: string;
  readonly directory: string;
  readonly kubeconfigPath: string;
  /** `https://127.0.0.1:PORT`, reachable from the host. */
  readonly server: string;
  readonly caPath: string;
  readonly adminCertPath: string;
  readonly adminKeyPath: string;
  /** One JSON line a finished request to snapshots, pods, events, leases and jobs. */
  readonly auditLogPath: string;
  readonly nodes: readonly string[];
  /** Runs kubectl as administrator and returns its output; throws with what it printed on failure. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  /** Applies manifests given as text. */
  readonly apply: (yaml: string) => Promise<void>;
  /** Calls `probe` every 100 ms until it returns something; on the deadline throws with the bed's state. `what`: asked for then. */
  readonly waitFor: <T>(
    what: string | (() => string),
    probe: () => Promise<T | undefined>,
    deadlineMs: number,
  ) => Promise<T>;
  readonly node: (name: string) => BedNode;
  /** Imports an image archive into every node that does not have it. */
  readonly load: (archive: string) => Promise<void>;
  /** Kills (or otherwise signals) apiserver, etcd, kcm, scheduler, forwarder, node-a, kubelet@node-a, ... */
  readonly kill: (what: string, signal?: string) => Promise<void>;
  /** Starts again what was killed. */
  readonly start: (what: string) => Promise<void>;
};

/** What kind of bed is wanted. */
export type BedOptions = {
  /** `default` unless told; a test file that changes the bed takes a name of its own. */
  readonly name?: string;
  /** 2 unless told; 0 is etcd and the API server alone. */
  readonly nodes?: number;
  readonly log?: Log;
};

const silent: Log = () => undefined;
const lockWaitMs = 30 * 60_000;

/** Brings a bed up, or attaches to it when it is up and healthy with as many nodes. */
export async function upBed(options: BedOptions = {}): Promise<Bed> {
  const { name = 'default', nodes = 2, log = silent } = options;
  await withLock(bedPaths(name).lockPath, lockWaitMs, log, async () => {
    if (await isHealthy(name)) {
      const found = readState(name)?.nodes.length;
      if (found === nodes) return log(`bed ${name} is up already`);
      log(`bed ${name} is up with ${found} nodes, not ${nodes}: making it anew`);
    }
    const time = elapsed();
    await makeBed(name, nodes, log);
    log(`bed ${name} up in ${time()}`);
  });
  return attachBed(name, log);
}

/** The bed `name`, which must be up. */
export async function attachBed(name: string, log: Log = silent): Promise<Bed> {
  const state = readState(name);
  if (state?.phase !== 'up') {
    throw new Error(`Bed ${name} is not up: npm run bed -- up --name ${name}.`);
  }
  return bedOf(state, log);
}

/** Removes the bed and all that carries its name; no bed of the name is fine. */
export async function downBed(name: string, log: Log = silent): Promise<void> {
  await withLock(bedPaths(name).lockPath, lockWaitMs, log, async () => sweepBed(name));
}

/** Runs `work` on a bed and removes the bed afterwards, whatever happened. */
export async function withBed<T>(options: BedOptions, work: (bed: Bed) => Promise<T>): Promise<T> {
  try {
    return await work(await upBed(options));
  } finally {
    await downBed(options.name ?? 'default', options.log ?? silent);
  }
}

function bedOf(state: BedState, log: Log): Bed {
  const { name, nodes } = state;
  const paths = bedPaths(name);
  const pki = (file: string): string => join(paths.pkiDirectory, file);
  const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
    const result = await kubectlOf(name, args, input === undefined ? {} : { input });
    if (result.exitCode !== 0) {
      throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim() || result.stdout.trim()}`);
    }
    return result.stdout;
  };
  return {
    name,
    directory: paths.directory,
    kubeconfigPath: paths.kubeconfigPath,
    server: `https://127.0.0.1:${state.port}`,
    caPath: pki('ca.crt'),
    adminCertPath: pki('admin.crt'),
    adminKeyPath: pki('admin.key'),
    auditLogPath: paths.auditLogPath,
    nodes,
    kubectl,
    apply: async (yaml) => {
      await kubectl(['apply', '-f', '-'], yaml);
    },
    waitFor: async (what, probe, deadlineMs) => {
      try {
        return await until(typeof what === 'string' ? () => what : what, probe, deadlineMs, 100);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        throw new Error(`${text}\n${await diagnosis(name, kubectl)}`, { cause: error });
      }
    },
    node: (node) => nodeOf(name, nodes, node),
    load: async (archive) => loadArchive(name, nodes, archive, log),
    kill: async (what, signal = 'SIGKILL') => killPart(name, what, signal),
    start: async (what) => startPart(name, what),
  };
}

function nodeOf(bed: string, nodes: readonly string[], node: string): BedNode {
  if (!nodes.includes(node)) throw new Error(`bed ${bed} has no ${node}, only ${nodes.join(', ')}`);
  return {
    name: node,
    exec: async (argv, options = {}) => execInNode(bed, node, argv, options),
    get rootPath() {
      return `/proc/${runningInit(bed, node)}/root`;
    },
  };
}

/** The words of kubectl for a bed and the environment it needs. */
export function kubectlWords(bed: string): {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
} {
  const program = readState(bed)?.programs.kubectl;
  if (program === undefined)
    throw new Error(`Bed ${bed} is not up: npm run bed -- up --name ${bed}.`);
  return { argv: program, environment: { KUBECONFIG: bedPaths(bed).kubeconfigPath } };
}

async function kubectlOf(
  bed: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { argv, environment } = kubectlWords(bed);
  return attempt([...argv, ...args], { ...options, environment });
}
