import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../core/clock.ts';
import type { AgentConfig } from '../config.ts';
import { nodeFactsOf } from '../order/source-facts.ts';
import type { SnapshotStore } from '../store/store.ts';
import { directoryCache } from './artifact-cache.ts';
import { criuRestore } from './criu/backend.ts';
import { cpuCheck } from './criu/cpu-check.ts';
import type { RestoreDeps } from './deps.ts';
import { kubeletMarks } from './marks.ts';
import { nodePlaceholders } from './placeholders.ts';
import { Slots } from './slots.ts';
import { workDirectories } from './work-directories.ts';

/** The agent's procfs. Its pod has hostPID, so it shows the node's processes. */
const procRoot = '/proc';
/** Of artifacts kept extracted on a node for the next restore from the same snapshot. */
const cacheLimitBytes = 16 * 2 ** 30;

/** Whatever the node has: one that waits for its disk must not keep all others waiting. */
const leastAtOnce = 4;

/** The restore machine's parts that work on this machine alone; what an earlier agent left in the cache is removed, and in work directories unless it explains a failure to somebody. */
export async function restoreParts(
  config: AgentConfig,
  store: SnapshotStore,
  shared: Pick<RestoreDeps, 'kube' | 'log' | 'pod' | 'announce' | 'metrics'>,
): Promise<RestoreDeps> {
  const { hostRoot, kubeletDirectory, cgroupRoot } = config;
  const directory = join(config.stateDirectory, 'restore');
  const cache = directoryCache(join(directory, 'cache'), store, cacheLimitBytes, shared.metrics);
  await cache.clear();
  const podsDirectory = `${hostRoot}${kubeletDirectory}/pods`;
  const directories = workDirectories(join(directory, 'work'), podsDirectory);
  await directories.sweep();
  return {
    ...shared,
    ...nodePlaceholders(procRoot),
    cache,
    marks: kubeletMarks({ hostRoot, kubeletDirectory }),
    backend: criuRestore({
      ...{ procRoot, cgroupRoot, clock: systemClock, cpu: cpuCheck(config.criuPath) },
      node: nodeFactsOf(config.nodeName),
      enterPath: join(config.restoreToolsDirectory, 'enter'),
      bundleDirectory: join(config.restoreToolsDirectory, 'bundle'),
    }),
    clock: systemClock,
    nodeName: config.nodeName,
    workDirectories: directories,
    slots: new Slots(Math.max(leastAtOnce, 2 * availableParallelism())),
  };
}
