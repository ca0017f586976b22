import { randomUUID } from 'node:crypto';
import { nodeCaches } from '../../../agent/caches.ts';
import type { CaptureBackend, SourceContainer } from '../../../agent/capture/backend.ts';
import { checkRequest } from '../../../agent/capture/check-request.ts';
import { captureLeaseRequest } from '../../../agent/order/capture-lease.ts';
import type { Artifacts, OrderDeps } from '../../../agent/order/deps.ts';
import { FreezeOutlook } from '../../../agent/order/freeze-outlook.ts';
import { startOrders } from '../../../agent/order/orders.ts';
import { Space } from '../../../agent/order/space.ts';
import type { Staging } from '../../../agent/order/staging.ts';
import { storeName } from '../../../agent/store/dir/dir-store.ts';
import { agentLeaseName, heartbeatMarks, systemNamespace } from '../../../core/api/names.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import { createEventRecorder } from '../../../runtime/events.ts';
import { keepHeartbeat } from '../../../runtime/heartbeat.ts';
import { connectKube } from '../../../runtime/kube.ts';
import { captureLeaseTiming } from '../../../runtime/lease-attempt.ts';
import { tryAcquire } from '../../../runtime/lease-lock.ts';
import type { Log } from '../../../runtime/log.ts';
import { silentReflectorObserver } from '../../../runtime/reflector.ts';
import { silentQueueObserver } from '../../../runtime/work-queue.ts';
import { memoryJournal } from '../../support/memory-journal.ts';
import { someDump } from '../../unit/agent/order/support/fake-node.ts';

const nothing = async (): Promise<void> => {};

/** A dump that takes no time: nothing is frozen, so nothing is told of it on the way. */
const backend: CaptureBackend = {
  probe: async () => ({ usable: true, why: '', version: someDump.criuVersion }),
  preflight: async () => ({
    blockers: [],
    estimatedBytes: 1000,
    outlook: { captured: [], lost: [] },
  }),
  start: async (request, onProcesses) => {
    const criu = { pid: 9000, startTicks: 1 };
    const processes = request.containers.map(({ name, root }) => ({
      ...{ container: name, source: root, criu },
    }));
    await onProcesses(processes);
    const broken = new AbortController().signal;
    return {
      ...{ held: nothing, release: async () => someDump, abort: nothing },
      keep: async () => ({ dump: someDump, broken }),
      commit: async () => true,
    };
  },
  settle: async () => ({ sourceRuns: true }),
  isCommitted: async () => false,
  decide: async () => ({ sourceRuns: true }),
  findLeft: async () => [],
};

const published = {
  ...{ digest: `sha256:${'3b'.repeat(32)}`, sizeBytes: 2 ** 30, storedBytes: 2 ** 29 },
  store: storeName,
};

/** A publish that lasts as long as it is told and moves no byte. */
const artifacts = (publishMilliseconds: number): Artifacts => ({
  storeName,
  checkWritable: nothing,
  adopt: async () => ({ published, source: {} }),
  publish: async (request, signal) => {
    await sleep(systemClock, publishMilliseconds, signal);
    await request.beforeReference();
    return published;
  },
  find: async () => undefined,
  discard: nothing,
});

const resolved = (name: string): SourceContainer => ({
  name,
  containerID: `containerd://${name}`,
  root: { pid: 4711, startTicks: 99 },
});

const staging: Staging = {
  pathOf: (contentUID, attempt) => `/staging/${contentUID}-${attempt}`,
  create: nothing,
  drop: nothing,
  files: async () => [],
  list: async () => [],
  note: nothing,
  noted: async () => undefined,
};

/**
 * One node's agent: the real caches, order machine, leases, heartbeat and events, so that every request of a real agent is made, on top of a
 * capture that moves no bytes. Resolves when it takes orders.
 */
export async function startSimulatedAgent(
  agent: {
    readonly nodeName: string;
    readonly kubeconfigPath: string;
    readonly publishMilliseconds: number;
  },
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { nodeName, kubeconfigPath } = agent;
  const kube = await connectKube({
    kubeconfigPath,
    requestTimeoutMilliseconds: 30_000,
    userAgent: 'cryopod-agent/bench',
  });
  const shared = { kube, clock: systemClock, random: Math.random, log };
  // The policies want a holder that begins with the agent's pod, which its token is bound to.
  const podName = `cryopod-agent-${nodeName}`;
  const holder = `${podName}-${randomUUID().slice(0, 8)}`;
  const lease = { namespace: systemNamespace, holder, timing: captureLeaseTiming };
  const sightings = new Map();
  const caches = nodeCaches({
    ...shared,
    nodeName,
    observer: () => silentReflectorObserver,
    contentChanged: (name) => orders.enqueue(name),
    podChanged: (namespace, name) => orders.enqueueForPod(namespace, name),
  });
  const events = createEventRecorder({
    ...{ kube, clock: systemClock, log, instance: podName },
    controller: 'cryopod-agent',
    counted: () => {},
  });
  const deps: OrderDeps = {
    ...shared,
    ...{ nodeName, backend, staging },
    cache: caches.orders,
    journal: memoryJournal(),
    artifacts: artifacts(agent.publishMilliseconds),
    sources: { resolve: async (_pod, names) => names.map(resolved), tell: async () => true },
    lease: (content, leaseSignal) => {
      const request = captureLeaseRequest(content, { namespace: systemNamespace, holder });
      return tryAcquire(shared, request, sightings, leaseSignal);
    },
    refusals: (content) => checkRequest(content.spec).map((blocker) => blocker.message),
    announce: events.record,
    metrics: {
      froze: () => {},
      dumped: () => {},
      published: () => {},
      ended: () => {},
      blocked: () => {},
      leaseLost: () => {},
      violated: (invariant) => log.error({ invariant }, 'an invariant is violated'),
    },
    nodeFacts: { name: nodeName, architecture: 'x86_64', kernelVersion: '6.1', cpu: 'simulated' },
    bootID: 'simulated',
    journalLost: false,
    space: new Space(async () => []),
    heldBack: async () => undefined,
    freezeOutlook: new FreezeOutlook(),
  };
  const orders = startOrders(deps, {
    dumps: 1,
    // As many at once as arrive: what is measured is the control plane, not the node.
    publishes: 1000,
    queueObserver: silentQueueObserver,
    ended: () => {},
  });
  void caches.contents.run(signal);
  void caches.pods.run(signal);
  await Promise.all([caches.contents.synced, caches.pods.synced]);
  const name = agentLeaseName(nodeName);
  const marks = heartbeatMarks({ name: storeName, sharedID: '' });
  void keepHeartbeat(shared, { ...lease, name, marks, ownerReference: undefined }, signal);
}
