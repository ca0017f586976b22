import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CgroupLayout,
  createNodeCgroups,
  nodeCgroups,
  readCgroupLayout,
  settleUnifiedNode,
} from './cgroups.ts';
import { attempt, type CommandOptions, type CommandResult } from './command.ts';
import { nodePaths } from './node-config.ts';
import { bedPaths, netnsPath } from './paths.ts';
import type { ProcessIdentity } from './proc-stat.ts';
import { isRunning, startDaemon } from './process.ts';
import { until } from './until.ts';

/** Daemons inside a node, addressed as `kubelet@node-a`. */
export const nodeDaemons = ['containerd', 'kubelet'] as const;
export type NodeDaemon = (typeof nodeDaemons)[number];

const script = (name: string): string => fileURLToPath(new URL(`node/${name}`, import.meta.url));

/** What a node is made from: the read-only root and the kubelet to show in it. */
export type NodeSources = { readonly nodeRoot: string; readonly kubelet: string };

/**
 * Boots a node and resolves when its containerd answers, with the process that holds the node's
 * namespaces (its death is the node's). The files of the node must be written before.
 */
export async function bootNode(
  bed: string,
  node: string,
  sources: NodeSources,
): Promise<ProcessIdentity> {
  const paths = bedPaths(bed);
  const own = nodePaths(paths, node);
  const layout = await readCgroupLayout();
  await createNodeCgroups(layout, bed, node);
  await rm(own.pidPath, { force: true });
  const holder = await startDaemon({
    argv: [
      ...['bash', script('enter.sh'), ...nodeCgroups(layout, bed, node), '--'],
      ...['nsenter', `--net=${netnsPath(bed, node)}`, '--'],
      ...['unshare', '-m', '-u', '-i', '-C', '-p', '--fork', '--kill-child'],
      ...['--propagation', 'private', 'bash', script('boot.sh')],
    ],
    environment: {
      CRYOPOD_BED: bed,
      BED_NODE_NAME: node,
      BED_NODE_DIRECTORY: own.directory,
      BED_NODE_ROOT: sources.nodeRoot,
      BED_KUBELET: sources.kubelet,
      BED_STORE: paths.storeDirectory,
      BED_LOG: own.logDirectory,
      BED_CGROUP_HIERARCHIES: hierarchiesForNode(layout),
    },
    logPath: join(paths.logDirectory, `${node}.log`),
  });
  await until(
    () => `node ${node} to boot (see ${join(paths.logDirectory, `${node}.log`)})`,
    async () => {
      if (!isRunning(holder)) throw new Error('its first process has ended');
      return initPid(bed, node) === undefined ? undefined : true;
    },
    15_000,
  );
  const [unified] = layout.version === 2 ? nodeCgroups(layout, bed, node) : [];
  if (unified !== undefined) await settleUnifiedNode(unified);
  await until(
    () => `containerd of ${node} (see ${join(own.logDirectory, 'containerd.log')})`,
    async () => {
      const version = await execInNode(bed, node, ['ctr', 'version'], { timeoutMs: 5_000 });
      return version.exitCode === 0 ? true : undefined;
    },
    30_000,
  );
  return holder;
}

function hierarchiesForNode(layout: CgroupLayout): string {
  if (layout.version === 2) return '';
  return layout.hierarchies
    .map((it) => `${it.mountPoint.slice(it.mountPoint.lastIndexOf('/') + 1)}=${it.options}`)
    .join(' ');
}

/** Host pid of the node's PID 1, undefined while it has not come up or after its end. */
export function initPid(bed: string, node: string): number | undefined {
  const pid = Number(readIfThere(nodePaths(bedPaths(bed), node).pidPath).trim());
  if (pid <= 1) return undefined;
  // The environment tells the node's first process from a stranger that has its pid by now.
  const words = readIfThere(`/proc/${pid}/environ`).split('\0');
  const own = words.includes(`CRYOPOD_BED=${bed}`) && words.includes(`BED_NODE_NAME=${node}`);
  return own ? pid : undefined;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // not there is an answer here
  }
}

/** Like {@link initPid}; throws when the node is down. */
export function runningInit(bed: string, node: string): number {
  const pid = initPid(bed, node);
  if (pid === undefined) throw new Error(`${node} of bed ${bed} is down`);
  return pid;
}

/** Runs a command inside a node, in all its namespaces and cgroups. Throws when the node is down. */
export async function execInNode(
  bed: string,
  node: string,
  argv: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return attempt(await enterNodeArgv(bed, node, argv), options);
}

/** The words that run `argv` inside a node. Throws when the node is down. */
export async function enterNodeArgv(
  bed: string,
  node: string,
  argv: readonly string[],
): Promise<readonly string[]> {
  const pid = runningInit(bed, node);
  const layout = await readCgroupLayout();
  const cgroups = nodeCgroups(layout, bed, node);
  const joined = layout.version === 2 ? cgroups.map((it) => join(it, 'init')) : cgroups;
  return [
    ...['bash', script('enter.sh'), ...joined, '--'],
    ...['nsenter', '-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-C', '--', ...argv],
  ];
}

/** Starts a daemon inside a node, in the background. */
export async function startNodeDaemon(
  bed: string,
  node: string,
  daemon: NodeDaemon,
): Promise<void> {
  const result = await execInNode(bed, node, ['bash', '/bed/start.sh', daemon], {});
  if (result.exitCode !== 0) throw new Error(`${daemon} on ${node}: ${result.stderr.trim()}`);
}

/** Signals a daemon inside a node; false when it does not run. */
export async function signalNodeDaemon(
  bed: string,
  node: string,
  daemon: NodeDaemon,
  signal: string,
): Promise<boolean> {
  const name = signal.replace(/^SIG/, '');
  const result = await execInNode(bed, node, ['bash', '/bed/signal.sh', name, daemon], {});
  if (result.exitCode !== 0 && result.exitCode !== 3) {
    throw new Error(`${daemon} on ${node}: ${result.stderr.trim()}`);
  }
  return result.exitCode === 0;
}
