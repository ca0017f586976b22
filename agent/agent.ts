import { randomUUID } from 'node:crypto';
import { kinds } from '../core/api/kinds.ts';
import { agentLeaseName, heartbeatMarks } from '../core/api/names.ts';
import type { PodSnapshotContent } from '../core/api/pod-snapshot-content.ts';
import { systemClock } from '../core/clock.ts';
import { errorText } from '../core/failure.ts';
import { createEventRecorder } from '../runtime/events.ts';
import { keepHeartbeat } from '../runtime/heartbeat.ts';
import type { ConnectedKube } from '../runtime/kube.ts';
import {
  captureLeaseTiming,
  type LeaseRequest,
  type LeaseSightings,
} from '../runtime/lease-attempt.ts';
import { type LeaseDeps, tryAcquire } from '../runtime/lease-lock.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { agentMetrics } from './agent-metrics.ts';
import { nodeCaches } from './caches.ts';
import { checkRequest } from './capture/check-request.ts';
import type { AgentConfig } from './config.ts';
import { startExplanations } from './explain/explanations.ts';
import { localParts } from './local-parts.ts';
import { openJournal, tellDamage } from './open-journal.ts';
import { captureLeaseRequest } from './order/capture-lease.ts';
import type { OrderDeps } from './order/deps.ts';
import { FreezeOutlook } from './order/freeze-outlook.ts';
import { orderMetrics, publishedBytes, watchOrders } from './order/order-metrics.ts';
import { type Orders, startOrders } from './order/orders.ts';
import { recover } from './order/recovery.ts';
import { restoreParts } from './restore/compose.ts';
import { restoreMetrics } from './restore/restore-metrics.ts';
import { startRestores } from './restore/restores.ts';
import { storeName } from './store/dir/dir-store.ts';
import { storeIdentity } from './store/dir/store-identity.ts';
import { keepSwept } from './sweeper.ts';

/** Of the pod's grace period of 30 s, what the orders may use; the rest is for leases and events. */
const stopGraceMilliseconds = 22_000;
const flushMilliseconds = 2000;

/** How far the agent has got, for /readyz. */
export type AgentProgress = { waitingFor: string | undefined };

/** Runs the agent until the signal aborts: recovery first, then orders. Resolves after an orderly end. */
export async function runAgent(
  config: AgentConfig,
  deps: { readonly kube: ConnectedKube; readonly log: Log; readonly metrics: Metrics },
  progress: AgentProgress,
  signal: AbortSignal,
): Promise<void> {
  const { kube, log, metrics } = deps;
  const figures = agentMetrics(metrics.registry);
  progress.waitingFor = 'the journal';
  const { stateDirectory } = config;
  const { journal, damage } = await openJournal(stateDirectory, systemClock, log, signal);
  try {
    const leases: LeaseDeps = { kube, clock: systemClock, random: Math.random, log };
    const holder = `${config.podName}-${randomUUID().slice(0, 8)}`;
    const deadHolders = journal.succeed(holder);
    const events = createEventRecorder({
      ...{ kube, clock: systemClock, log, instance: config.podName },
      controller: 'cryopod-agent',
      counted: metrics.eventCounted,
    });
    const caches = nodeCaches({
      ...{ kube, clock: systemClock, random: Math.random, log, nodeName: config.nodeName },
      observer: metrics.reflectorObserver,
      contentChanged: (name) => orders.enqueue(name),
      podChanged: (namespace, name) => {
        orders.enqueueForPod(namespace, name);
        restores.enqueueForPod(namespace, name);
      },
    });
    metrics.watchReflector('PodSnapshotContent', caches.contents);
    metrics.watchReflector('Pod', caches.pods);
    if (damage !== undefined) {
      figures.journalSetAside();
      tellDamage(events.record, config.nodeName, damage);
    }
    const { store, ...local } = await localParts(config, log, publishedBytes(metrics));
    const orderDeps: OrderDeps = {
      ...{ ...local, kube, journal, log, nodeName: config.nodeName, cache: caches.orders },
      journalLost: damage !== undefined,
      lease: contentLease(config, leases, holder, deadHolders),
      refusals: (content) => checkRequest(content.spec).map((blocker) => blocker.message),
      clock: systemClock,
      random: Math.random,
      announce: events.record,
      metrics: orderMetrics(metrics),
      freezeOutlook: new FreezeOutlook(),
    };
    progress.waitingFor = 'the recovery of captures that an earlier agent left';
    await recover(orderDeps, signal);
    const orders: Orders = startOrders(orderDeps, {
      dumps: config.parallelDumps,
      publishes: config.parallelPublishes,
      queueObserver: metrics.queueObserver('order'),
      ended: metrics.reconcileEnded('order'),
    });
    watchOrders(metrics, orders, local.space);
    const restores = startRestores(
      await restoreParts(config, store, {
        ...{ kube, log, pod: caches.orders.pod, announce: events.record },
        metrics: restoreMetrics(metrics.registry),
      }),
      {
        random: Math.random,
        queueObserver: metrics.queueObserver('restore'),
        ended: metrics.reconcileEnded('restore'),
      },
    );
    const explanations = startExplanations(orderDeps, {
      reflector: metrics.reflectorObserver(kinds.podSnapshotExplanation.kind),
      queue: metrics.queueObserver('explanation'),
    });
    progress.waitingFor = 'the first lists of pods and work orders';
    const running = [
      caches.contents.run(signal),
      caches.pods.run(signal),
      // Nobody waits for it: an older API server without this kind must not keep the agent from its orders.
      explanations.run(signal),
    ];
    await Promise.all([caches.contents.synced, caches.pods.synced]);
    orders.enqueueOpen();
    progress.waitingFor = undefined;
    log.info({ node: config.nodeName, holder }, 'the agent takes orders');
    reportProbe(orderDeps, signal);
    const sweeping = keepSwept(
      { leases, store, metrics: figures },
      { ...sweepOptions(config), holder, deadHolders },
      signal,
    );
    // Only now: the heartbeat tells the controller that orders for this node are carried out.
    await keepHeartbeat(leases, await heartbeatRequest(config, holder, log, signal), signal);
    progress.waitingFor = 'the end';
    await Promise.all([orders.stop(stopGraceMilliseconds), restores.stop(stopGraceMilliseconds)]);
    await Promise.all([...running, sweeping]);
    await events.flush(AbortSignal.timeout(flushMilliseconds));
    log.info('every order is at rest');
  } catch (error) {
    // Told to end before it took orders: everything begun so far is settled again by the next one.
    if (!signal.aborted) throw error;
    log.warn({ error: errorText(error) }, 'the end was not orderly');
  } finally {
    journal.close();
  }
}

/** One attempt at the Lease of a content; what it saw is kept between attempts, so that a dead holder's runs out. */
function contentLease(
  config: AgentConfig,
  leases: LeaseDeps,
  holder: string,
  deadHolders: ReadonlySet<string>,
): OrderDeps['lease'] {
  const sightings: LeaseSightings = new Map();
  return (content: PodSnapshotContent, signal) => {
    const { namespace } = config;
    const request = captureLeaseRequest(content, { namespace, holder, deadHolders });
    return tryAcquire(leases, request, sightings, signal);
  };
}

const sweepOptions = ({ namespace, sweepEverySeconds, sweepGraceSeconds }: AgentConfig) => ({
  namespace,
  everyMilliseconds: sweepEverySeconds * 1000,
  graceMilliseconds: sweepGraceSeconds * 1000,
});

/** The heartbeat says which store the agent serves, so that the bytes of a node that is lost can be dealt with by another agent. */
async function heartbeatRequest(
  config: AgentConfig,
  holder: string,
  log: Log,
  signal: AbortSignal,
): Promise<LeaseRequest> {
  const { storeDirectory, storeIsShared } = config;
  const sharedID = storeIsShared
    ? await storeIdentity(storeDirectory, signal).catch((error: unknown) => {
        log.error({ error: errorText(error) }, 'the store is not announced as shared');
        return '';
      })
    : '';
  return {
    namespace: config.namespace,
    name: agentLeaseName(config.nodeName),
    marks: heartbeatMarks({ name: storeName, sharedID }),
    holder,
    timing: captureLeaseTiming,
    ownerReference: undefined,
  };
}

/** An unusable CRIU does not end the agent: orders fail with the reason, deletions go on. The log says it at once. */
function reportProbe(deps: OrderDeps, signal: AbortSignal): void {
  deps.backend.probe(signal).then(
    ({ usable, why, version }) => {
      if (usable) deps.log.info({ version }, 'CRIU is usable');
      else deps.log.error({ version, why }, 'CRIU is not usable: orders will fail in preflight');
    },
    (error: unknown) => deps.log.warn({ error: errorText(error) }, 'CRIU could not be probed'),
  );
}
