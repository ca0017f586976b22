import { nodeCaches } from '../../../../../agent/caches.ts';
import { checkRequest } from '../../../../../agent/capture/check-request.ts';
import type { Journal } from '../../../../../agent/journal/journal.ts';
import { captureLeaseRequest } from '../../../../../agent/order/capture-lease.ts';
import type { Artifacts, OrderDeps, Sources } from '../../../../../agent/order/deps.ts';
import { FreezeOutlook } from '../../../../../agent/order/freeze-outlook.ts';
import { type Orders, startOrders } from '../../../../../agent/order/orders.ts';
import { recover } from '../../../../../agent/order/recovery.ts';
import { Space } from '../../../../../agent/order/space.ts';
import type { Staging } from '../../../../../agent/order/staging.ts';
import { type Clock, sleep } from '../../../../../core/clock.ts';
import { Failure } from '../../../../../core/failure.ts';
import type { Kube, ObjectKey, ServerClock } from '../../../../../runtime/kube-port.ts';
import { tryAcquire } from '../../../../../runtime/lease-lock.ts';
import { silentLog } from '../../../../../runtime/log.ts';
import { silentReflectorObserver } from '../../../../../runtime/reflector.ts';
import { silentQueueObserver } from '../../../../../runtime/work-queue.ts';
import { memoryJournal } from '../../../../support/memory-journal.ts';
import type { MemoryKube } from '../../../../support/memory-kube.ts';
import { backendOf } from './fake-backend.ts';
import { type FakeNode, isOver } from './fake-node.ts';
import type { Mortal } from './mortal.ts';

export const nodeName = 'node-a';

function artifactsOf(node: FakeNode, life: Mortal): Artifacts {
  const trouble = (): void => {
    const error = node.storeTrouble.shift();
    if (error !== undefined) throw error;
  };
  const at = (key: { readonly contentUID: string }): string => key.contentUID;
  return {
    storeName: 'memory',
    adopt: async (digest, key) => {
      trouble();
      const known = [...node.references.values()].find((one) => one.digest === digest);
      if (known === undefined) throw new Failure('gone', 'ArtifactLost', `no artifact ${digest}`);
      return life.effect(() => {
        node.references.set(at(key), known);
        const captured = { name: 'far', architecture: 'amd64', kernelVersion: '6.1.0' };
        return { published: known, source: { node: captured } };
      });
    },
    checkWritable: async () => trouble(),
    publish: async (request, signal) => {
      trouble();
      const bytesTotal = 1000;
      // As the real one does, it keeps notes beside the dump.
      node.staging.get(request.stagingDirectory)?.push({ path: 'publish-work', sizeBytes: 1 });
      for (let part = 1; part <= 4; part += 1) {
        await life.wait(() => sleep(node.clock, node.publishMilliseconds / 4, signal));
        if (node.publishTrouble !== undefined) throw node.publishTrouble;
        request.onProgress({ bytesDone: (bytesTotal / 4) * part, bytesTotal });
      }
      await life.effect(() => node.trace.add(life.number, 'blobs-durable'));
      await request.beforeReference();
      return life.effect(() => {
        const digest = `sha256:${request.stagingDirectory}`;
        const published = { digest, sizeBytes: 1000, storedBytes: 500, store: 'memory' };
        if (node.references.has(at(request.key))) throw new Error('a reference is never replaced');
        node.references.set(at(request.key), published);
        node.trace.add(life.number, 'reference', digest);
        return published;
      });
    },
    find: async (key) => {
      const published = node.references.get(at(key));
      return published === undefined ? undefined : { published, freezeMilliseconds: 95 };
    },
    discard: (key) => life.effect(() => void node.references.delete(at(key))),
  };
}

const stagingOf = (node: FakeNode, life: Mortal): Staging => ({
  pathOf: (contentUID, attempt) => `/staging/${contentUID}-${attempt}`,
  create: (path) => life.effect(() => void node.staging.set(path, [])),
  drop: (path) =>
    life.effect(() => {
      const used = node.dumps.some((dump) => dump.stagingDirectory === path && !isOver(dump));
      if (used) node.trace.add(life.number, 'dropped-in-use', path);
      node.staging.delete(path);
      node.notes.delete(path);
    }),
  note: (path, text) => life.effect(() => void node.notes.set(path, text)),
  noted: async (path) => node.notes.get(path),
  files: async (path) => node.staging.get(path) ?? [],
  list: async () => [...node.staging.keys()],
});

const sourcesOf = (node: FakeNode, life: Mortal): Sources => ({
  resolve: async (_pod, containers) => {
    if (!node.sourceAlive) throw new Failure('terminal', 'ContainerNotResolved', 'no process');
    return containers.map((name) => ({
      name,
      containerID: `containerd://${name}`,
      root: node.sourceOf(name),
    }));
  },
  tell: (_pod, container, name, text) =>
    life.effect(() => {
      node.sentinels.push({ container, name, text });
      node.trace.add(life.number, 'sentinel', name);
      return true;
    }),
});

function journalOf(node: FakeNode, life: Mortal): Journal {
  const journal = memoryJournal(node.journal);
  return {
    ...journal,
    begin: (intent) => life.effectNow(() => journal.begin(intent)),
    update: (uid, change) => life.effectNow(() => journal.update(uid, change)),
    finish: (uid) => life.effectNow(() => journal.finish(uid)),
  };
}

/** The API server as a mortal process reaches it: writes count as effects, and Ready and Failed are noted. */
function kubeOf(server: MemoryKube, node: FakeNode, life: Mortal): Kube & ServerClock {
  const endOf = (key: ObjectKey): 'ready' | 'failed' | undefined => {
    const text = JSON.stringify(server.peek(key)?.status ?? {});
    const isTrue = (type: string): boolean =>
      new RegExp(`"type":"${type}","status":"True"`).test(text);
    return isTrue('Ready') ? 'ready' : isTrue('Failed') ? 'failed' : undefined;
  };
  return {
    serverTime: () => server.serverTime(),
    get: (key, signal) => life.wait(() => server.get(key, signal)),
    list: (selection, signal) => life.wait(() => server.list(selection, signal)),
    watch: (selection, signal) => server.watch(selection, signal),
    create: (kind, object, options, signal) =>
      life.effect(() => server.create(kind, object, options, signal)),
    patch: (key, subresource, patch, signal) =>
      life.effect(async () => {
        // Looked at in the server: a write counts even when its answer is lost.
        const before = endOf(key);
        try {
          return await server.patch(key, subresource, patch, signal);
        } finally {
          const after = endOf(key);
          if (after !== undefined && after !== before) node.trace.add(life.number, after);
        }
      }),
    delete: (key, preconditions, signal) =>
      life.effect(() => server.delete(key, preconditions, signal)),
  };
}

/** Nothing a dead process planned comes about. */
const clockOf = (clock: Clock, life: Mortal): Clock => ({
  wallMilliseconds: () => clock.wallMilliseconds(),
  monotonicMilliseconds: () => clock.monotonicMilliseconds(),
  after: (milliseconds, call) =>
    clock.after(milliseconds, () => {
      if (!life.dead) call();
    }),
});

export type FakeAgent = { readonly orders: Orders; readonly events: string[] };

/** An agent process on a node: recovery, caches and orders, as main.ts puts them together. */
export async function startAgent(
  server: MemoryKube,
  node: FakeNode,
  life: Mortal,
  signal: AbortSignal,
): Promise<FakeAgent> {
  const clock = clockOf(node.clock, life);
  const kube = kubeOf(server, node, life);
  const shared = { kube, clock, random: () => 0.5, log: silentLog };
  const sightings = new Map();
  const events: string[] = [];
  const caches = nodeCaches({
    ...shared,
    nodeName,
    observer: () => silentReflectorObserver,
    contentChanged: (name) => orders.enqueue(name),
    podChanged: (namespace, name) => orders.enqueueForPod(namespace, name),
  });
  const deps: OrderDeps = {
    ...shared,
    nodeName,
    cache: caches.orders,
    journal: journalOf(node, life),
    backend: backendOf(node, life),
    artifacts: artifactsOf(node, life),
    sources: sourcesOf(node, life),
    staging: stagingOf(node, life),
    space: new Space(async () => node.rooms()),
    heldBack: async (priority) => (priority < 0 ? node.pressure : undefined),
    lease: (content, leaseSignal) =>
      tryAcquire(
        shared,
        captureLeaseRequest(content, {
          namespace: 'cryopod-system',
          holder: `agent-${life.number}`,
        }),
        sightings,
        leaseSignal,
      ),
    refusals: (content) => checkRequest(content.spec).map((blocker) => blocker.message),
    announce: (event) => events.push(`${event.regarding.kind} ${event.reason}`),
    metrics: {
      froze: () => {},
      dumped: () => {},
      published: () => {},
      ended: () => {},
      blocked: () => {},
      leaseLost: () => {},
      violated: (invariant) => events.push(`violated ${invariant}`),
    },
    freezeOutlook: new FreezeOutlook(),
    nodeFacts: { name: nodeName },
    journalLost: node.journalLost,
    bootID: node.bootID,
  };
  await recover(deps, signal);
  const orders = startOrders(deps, {
    dumps: 1,
    publishes: node.parallelPublishes,
    queueObserver: silentQueueObserver,
    ended: () => {},
  });
  void caches.contents.run(signal);
  void caches.pods.run(signal);
  await Promise.all([caches.contents.synced, caches.pods.synced]);
  orders.enqueueOpen();
  return { orders, events };
}
