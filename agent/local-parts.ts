import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Pace } from './artifact/paced-store.ts';
import { criuBackend } from './capture/criu/backend.ts';
import type { AgentConfig } from './config.ts';
import { diskRooms } from './disk-rooms.ts';
import { publishRate } from './limits.ts';
import type { OrderDeps } from './order/deps.ts';
import { heldBackBelow } from './order/held-back.ts';
import { nodeSources } from './order/node-sources.ts';
import { nodeFactsOf, readBootID } from './order/source-facts.ts';
import { Space } from './order/space.ts';
import { directoryStaging } from './order/staging.ts';
import { type PublishedBytes, storeArtifacts } from './order/store-artifacts.ts';
import { readPressure } from './proc/pressure.ts';
import { dirStore } from './store/dir/dir-store.ts';
import type { SnapshotStore } from './store/store.ts';

/** The agent's procfs. Its pod has hostPID, so it shows the node's processes. */
const procRoot = '/proc';
/** A hold that has heard nothing for so long ends by itself, whatever became of the agent. */
const holdLimitSeconds = 600;
/** One that waits for a decision gives up after this long without any: nobody is left who could give one. */
const commitLimitSeconds = 24 * 3600;

/** What of the order machine works on this machine alone. */
export type LocalParts = Pick<
  OrderDeps,
  'backend' | 'artifacts' | 'sources' | 'staging' | 'space' | 'heldBack' | 'nodeFacts' | 'bootID'
> & { readonly store: SnapshotStore };

/** Puts it together. `told`: hears of the bytes of each publish. */
export async function localParts(
  config: AgentConfig,
  log: Log,
  told: (bytes: PublishedBytes) => void,
): Promise<LocalParts> {
  const { hostRoot, kubeletDirectory, cgroupRoot, runtimeRoots, criuPath } = config;
  const { stateDirectory, storeDirectory } = config;
  // The kubelet makes it for everybody to read, and journal and locks name what is captured.
  await chmod(stateDirectory, 0o700);
  const nodeFacts = nodeFactsOf(config.nodeName);
  const store = dirStore(storeDirectory);
  const pace = new Pace(systemClock, publishRate(config.limitsDirectory, systemClock, log));
  return {
    backend: criuBackend({
      ...{ criuPath, procRoot, hostRoot, cgroupRoot, runtimeRoots, kubeletDirectory },
      memoryPath: config.memoryPath,
      ...{ holdLimitSeconds, commitLimitSeconds, clock: systemClock, storeDirectory },
      lockDirectory: join(stateDirectory, 'locks'),
    }),
    store,
    artifacts: storeArtifacts(store, nodeFacts, { pace, told }),
    sources: nodeSources({ procRoot, hostRoot, kubeletDirectory }),
    staging: directoryStaging(join(stateDirectory, 'staging')),
    space: new Space(() => diskRooms({ staging: stateDirectory, store: storeDirectory })),
    heldBack: heldBackBelow(config.lowPriorityBelow, () => readPressure(procRoot), log),
    nodeFacts,
    bootID: await readBootID(),
  };
}
