import { resolveContainers } from '../capture/resolve.ts';
import { namedContainers } from '../order/node-sources.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import { identify, isAlive, readStatus, readTree } from '../proc/process-table.ts';
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
    findRestored: async (placeholder, pid): Promise<ProcessIdentity | undefined> => {
      for (const member of await readTree(procRoot, placeholder)) {
        if (member.parentPid !== placeholder.pid) continue;
        const status = await readStatus(procRoot, member.pid);
        // ..., its number in the init's namespace, and 1 in its own.
        const [outer, inner] = status?.namespacePids.slice(-2) ?? [];
        if (outer === pid && inner === 1) return identify(procRoot, member.pid);
      }
      return undefined;
    },
  };
}
