import { expect } from 'vitest';
import { type Kind, kinds } from '../../core/api/kinds.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { isRecord, recordAt, textAt } from '../../runtime/raw-object.ts';
import {
  type Fault,
  type FaultProxy,
  type ProxiedRequest,
  startFaultProxy,
} from '../support/fault-proxy.ts';
import { endOf, type Flow, flows } from './controller-flows.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from './controller-world.ts';
import { SimulatedCluster } from './simulated-cluster.ts';

const never = new AbortController().signal;
const namespaceKind: Kind = {
  ...{ group: '', version: 'v1', kind: 'Namespace' },
  plural: 'namespaces',
  namespaced: false,
};
const accountKind: Kind = {
  ...{ group: '', version: 'v1', kind: 'ServiceAccount' },
  plural: 'serviceaccounts',
  namespaced: true,
};

/** What happens to the writes of one namespace, counted from 1. */
export type Trouble = (write: number) => Fault | undefined;

function parsed(text: string): RawObject {
  const value: unknown = JSON.parse(text);
  return isRecord(value) ? value : {};
}

/** How each flow ends undisturbed, and how many writes of the controller that takes. */
export type Calm = ReadonlyMap<Flow, { readonly end: RawObject; readonly writes: number }>;

/** An API server behind a proxy that can disturb the n-th write of each namespace, and a cluster beside it. */
export class FaultedFlows {
  readonly world: ControllerWorld;
  readonly proxy: FaultProxy;
  readonly cluster: SimulatedCluster;
  /** Writes of controllers seen so far, by namespace. */
  readonly writes = new Map<string, string[]>();
  readonly #troubles = new Map<string, Trouble>();
  /** Namespaces by the name of a content, learnt from its create. */
  readonly #homes = new Map<string, string>();

  constructor(world: ControllerWorld, proxy: FaultProxy) {
    this.world = world;
    this.proxy = proxy;
    this.cluster = new SimulatedCluster(world.kube);
    proxy.setRule((request) => this.#rule(request));
  }

  async close(): Promise<void> {
    await this.cluster.close();
    await this.proxy.close();
    await this.world.close();
  }

  /** Starts a controller that reaches the API server through the proxy. */
  start(name: string): ControllerProcess {
    return this.world.start(name, { KUBECONFIG: this.proxy.kubeconfigPath });
  }

  /** Starts a flow in a new namespace, whose writes are met by `trouble`. */
  async begin(flow: Flow, namespace: string, trouble: Trouble = () => undefined): Promise<void> {
    this.#troubles.set(namespace, trouble);
    const make = (kind: Kind, object: RawObject) =>
      this.world.kube.create(kind, object, { dryRun: false }, never);
    const v1 = { apiVersion: 'v1' };
    await make(namespaceKind, { ...v1, kind: 'Namespace', metadata: { name: namespace } });
    // Nothing makes service accounts here, and no pod is admitted without one.
    await make(accountKind, {
      ...v1,
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace },
    });
    if (flow.kind === kinds.podSnapshot) await this.cluster.pod(namespace, 'web', {});
    this.cluster.inhabit(namespace, flow);
    const { group, version, kind } = flow.kind;
    const metadata = { ...recordAt(flow.manifest, 'metadata'), namespace };
    await make(flow.kind, { ...flow.manifest, apiVersion: `${group}/${version}`, kind, metadata });
  }

  /** Waits until a flow has come to its end. */
  over(flow: Flow, namespace: string): Promise<true> {
    return this.world.until(
      `${namespace} to be over`,
      async () => (flow.isOver(this.cluster.see(namespace)) ? true : undefined),
      120_000,
    );
  }

  /** Whether a flow may end before this write: a deadline that passes early spares it the later ones, a state that did not last the last one. */
  mayEndBefore(flow: Flow, write: number, calm: Calm): boolean {
    const isLast = write === calm.get(flow)?.writes;
    return flow.onlyVerdict === true || (flow.tellsWhatLasts === true && isLast);
  }

  /** Lets every flow run once in peace. */
  async calmEnds(): Promise<Calm> {
    const calm = new Map<Flow, { readonly end: RawObject; readonly writes: number }>();
    for (const flow of flows) await this.begin(flow, `calm-${flow.name}`);
    for (const flow of flows) {
      const namespace = `calm-${flow.name}`;
      await this.over(flow, namespace);
      const writes = this.writes.get(namespace)?.length ?? 0;
      calm.set(flow, { end: endOf(this.cluster, flow, namespace), writes });
    }
    return calm;
  }

  /** From now on nothing happens to the writes of anybody. */
  calm(): void {
    this.#troubles.clear();
  }

  #rule(request: ProxiedRequest): Fault | undefined {
    const { method, path } = request;
    if (method === 'GET' || /\/(events|leases)(\/|$)/.test(path)) return undefined;
    const namespace = this.#homeOf(request);
    const write = this.writes.get(namespace) ?? [];
    this.writes.set(namespace, write);
    write.push(`${method} ${path}`);
    return this.#troubles.get(namespace)?.(write.length);
  }

  #homeOf({ body, method, path }: ProxiedRequest): string {
    const [, namespace] = /\/namespaces\/([^/]+)\//.exec(path) ?? [];
    if (namespace !== undefined) return namespace;
    if (method !== 'POST') return this.#homes.get(path.split('/')[5] ?? '') ?? '';
    const object = parsed(body);
    const home = textAt(recordAt(recordAt(object, 'spec'), 'snapshotRef'), 'namespace');
    this.#homes.set(textAt(recordAt(object, 'metadata'), 'name'), home);
    return home;
  }
}

/** Brings everything up but a controller; `name` is the bed's. */
export async function faultedFlows(name: string): Promise<FaultedFlows> {
  const world = await controllerWorld(name);
  const made = new FaultedFlows(world, await startFaultProxy(world.bed, 'controller'));
  await made.cluster.start();
  return made;
}

/** The flow has ended as in peace, with as many Jobs, snapshots and contents ever made. */
export function expectSameEnd(
  { cluster, writes }: FaultedFlows,
  calm: Calm,
  flow: Flow,
  namespace: string,
): void {
  const end = endOf(cluster, flow, namespace);
  expect(end, story(writes, namespace)).toEqual(calm.get(flow)?.end);
}

/** For messages: what controllers wrote there. */
const story = (writes: FaultedFlows['writes'], namespace: string): string =>
  [namespace, ...(writes.get(namespace) ?? [])].join('\n');

/**
 * As expectSameEnd where two leaders overlapped. A create has no precondition: the placeholder of the former leader may be made after the end of a
 * restore, which takes no longer here than a request, and goes again.
 */
export async function settlesAlike(
  { cluster, writes }: FaultedFlows,
  calm: Calm,
  flow: Flow,
  namespace: string,
): Promise<void> {
  const pods = Number(calm.get(flow)?.end.restorePodsEverMade ?? 0);
  const settled = (): RawObject => {
    const end = endOf(cluster, flow, namespace);
    const isLate = pods > 0 && end.restorePodsEverMade === pods + 1;
    return isLate ? { ...end, restorePodsEverMade: pods } : end;
  };
  const message = story(writes, namespace);
  await expect.poll(settled, { message, timeout: 20_000 }).toEqual(calm.get(flow)?.end);
}

/**
 * Runs every flow once for each of its writes, side by side, with that write met by the fault, and expects the ends that they have in peace.
 */
export async function strikeEveryWrite(
  faulted: FaultedFlows,
  calm: Calm,
  name: string,
  fault: Fault,
): Promise<void> {
  const cases = [...calm].flatMap(([flow, { writes }]) =>
    Array.from({ length: writes }, (_, index) => ({
      flow,
      struck: index + 1,
      namespace: `${flow.name}-${name}-${index + 1}`,
    })),
  );
  const hit = new Set<string>();
  await Promise.all(
    cases.map(async ({ flow, namespace, struck }) => {
      await faulted.begin(flow, namespace, (write) => {
        if (write !== struck) return undefined;
        hit.add(namespace);
        return fault;
      });
      await faulted.over(flow, namespace);
    }),
  );
  for (const { flow, namespace, struck } of cases) {
    const isSpared = faulted.mayEndBefore(flow, struck, calm);
    expect(hit.has(namespace) || isSpared, `${namespace} was struck`).toBe(true);
    expectSameEnd(faulted, calm, flow, namespace);
  }
}
