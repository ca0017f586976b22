import { resolveContainers, restoredRoots } from '../capture/resolve.ts';
import { namedContainers } from '../order/node-sources.ts';
import { isAlive } from '../proc/process-table.ts';
import type { RestoreDeps } from './deps.ts';

/** The processes of placeholders through /proc. Needs to see the node's processes. */
export function nodePlaceholders(
  procRoot: string,
): Pick<RestoreDeps, 'end' | 'findRestored' | 'resolve'> {
  return {
    resolve: async (pod, containers) =>
      resolveContainers(procRoot, namedContainers(pod, containers)),
    end: async (placeholder) => {
      if (await isAlive(procRoot, placeholder)) process.kill(placeholder.pid, 'SIGKILL');
    },
    findRestored: async (placeholder, pid) =>
      (await restoredRoots(procRoot, placeholder)).find(({ number }) => number === pid)?.root,
  };
}
