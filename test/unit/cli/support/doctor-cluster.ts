import { Writable } from 'node:stream';
import { clusterKinds, policyNames } from '../../../../cli/commands/doctor/cluster-kinds.ts';
import { runDoctor, type Wishes } from '../../../../cli/commands/doctor/run-doctor.ts';
import { type Kind, kinds } from '../../../../core/api/kinds.ts';
import {
  agentLeaseName,
  controllerLeaseName,
  systemNamespace,
} from '../../../../core/api/names.ts';
import type { Clock } from '../../../../core/clock.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, recordAt } from '../../../../runtime/raw-object.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';
import { hasStatus } from '../../../support/memory-object.ts';

const { signal: never } = new AbortController();

/** A condition as the API server holds it. */
export const condition = (type: string, status: string, reason: string, message = '') => ({
  ...{ type, status, reason, message },
  lastTransitionTime: '2026-01-02T03:04:05Z',
});

const captured = {
  conditions: [condition('Ready', 'True', 'Captured'), condition('Failed', 'False', 'Captured')],
  ...{ stage: 'Captured', freezeMilliseconds: 1035 },
};

/** Time that passes as soon as somebody waits for it. */
export class HurriedClock implements Clock {
  #now = 0;
  wallMilliseconds(): number {
    return this.#now;
  }
  monotonicMilliseconds(): number {
    return this.#now;
  }
  after(milliseconds: number, call: () => void): () => void {
    const timer = setImmediate(() => {
      this.#now += milliseconds;
      call();
    });
    return () => clearImmediate(timer);
  }
}

/** What becomes of a canary on a node. */
type Fate = {
  readonly capture?: RawObject;
  readonly restored?: RawObject;
};

/** A healthy cluster of three nodes in memory, with kubelets, agents and a controller that do their part at once. */
export class DoctorCluster extends MemoryKube {
  readonly clock = new HurriedClock();
  /** Rights that the user lacks, as `verb resource`. */
  readonly lacking = new Set<string>();
  /** Leases that nobody renews. */
  readonly silent = new Set<string>();
  readonly fates = new Map<string, Fate>();
  sharedStore = 'bucket';
  #beats = 0;

  static async open(): Promise<DoctorCluster> {
    const cluster = new DoctorCluster();
    for (const name of ['a', 'b', 'c']) {
      const os = name === 'c' ? 'windows' : 'linux';
      const metadata = { name, labels: { 'kubernetes.io/os': os } };
      await cluster.put(
        kinds.node,
        metadata,
        {},
        { conditions: [{ type: 'Ready', status: 'True' }] },
      );
      if (name !== 'c') await cluster.beat(agentLeaseName(name));
    }
    await cluster.beat(controllerLeaseName);
    const container = { image: 'registry/agent:1' };
    const template = {
      spec: { nodeSelector: { 'kubernetes.io/os': 'linux' }, containers: [container] },
    };
    const agents = { name: 'cryopod-agent', namespace: systemNamespace };
    await cluster.put(clusterKinds.daemonSet, agents, { template });
    for (const kind of Object.values(kinds)) {
      if (!kind.group.includes('nvidia') && !kind.group.includes('cryopod')) continue;
      const versions = [{ name: kind.version, served: true }];
      const conditions = [{ type: 'Established', status: 'True' }];
      await cluster.put(
        clusterKinds.definition,
        { name: `${kind.plural}.${kind.group}` },
        { versions },
        { conditions },
      );
    }
    for (const name of policyNames) {
      await cluster.put(clusterKinds.policy, { name }, {});
      await cluster.put(clusterKinds.policyBinding, { name }, {});
    }
    cluster.before = async ({ verb, kind }) => {
      if (verb === 'list' && kind === 'Lease') await cluster.#beatAll();
    };
    return cluster;
  }

  override async create(
    kind: Kind,
    object: RawObject,
    options: { readonly dryRun: boolean },
    signal: AbortSignal,
  ): Promise<RawObject> {
    if (kind === clusterKinds.accessReview) {
      const { verb, resource } = recordAt(recordAt(object, 'spec'), 'resourceAttributes');
      return { status: { allowed: !this.lacking.has(`${verb} ${resource}`) } };
    }
    const created = await super.create(kind, object, options, signal);
    if (kind === kinds.pod) await this.#runPod(created);
    if (kind === kinds.podSnapshot) await this.#capture(created);
    return created;
  }

  doctor(
    wishes: Partial<Wishes> = {},
    given: { readonly signal?: AbortSignal; readonly onLine?: (line: string) => void } = {},
  ) {
    const errors = new Writable({
      write: (chunk, _encoding, done) => {
        given.onLine?.(String(chunk));
        done();
      },
    });
    const terminal = {
      ...{ input: process.stdin, output: errors, errors, watched: false, answers: false },
      ...{ columns: () => 80, environment: {}, now: () => 0, signal: given.signal ?? never },
    };
    const kube = Object.assign(this, { server: 'https://memory', namespace: '', close: () => {} });
    return runDoctor(
      { kube, namespace: 'default', terminal, now: () => 0 },
      { canary: true, nodes: [], timeout: 30_000, ...wishes },
      this.clock,
    );
  }

  async put(kind: Kind, metadata: RawObject, spec: RawObject, status?: RawObject): Promise<void> {
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    const extra = status === undefined ? {} : { status };
    await super.create(
      kind,
      { apiVersion, kind: kind.kind, metadata, spec, ...extra },
      { dryRun: false },
      never,
    );
    if (status !== undefined && hasStatus(kind)) {
      const key = {
        kind,
        namespace: String(metadata.namespace ?? ''),
        name: String(metadata.name),
      };
      await this.patch(key, 'status', { type: 'merge', body: { status } }, never);
    }
  }

  async beat(name: string): Promise<void> {
    this.#beats += 1;
    const annotations = { 'nvidia.com/snapshot-shared-store': this.sharedStore };
    const spec = { holderIdentity: `${name}-pod`, renewTime: `beat ${this.#beats}` };
    await this.put(kinds.lease, { name, namespace: systemNamespace, annotations }, spec);
  }

  async #beatAll(): Promise<void> {
    for (const lease of this.all(kinds.lease)) {
      const { name, namespace } = identityOf(lease);
      if (this.silent.has(name)) continue;
      this.#beats += 1;
      const body = { spec: { renewTime: `beat ${this.#beats}` } };
      await this.patch({ kind: kinds.lease, namespace, name }, '', { type: 'merge', body }, never);
    }
  }

  async #runPod(pod: RawObject): Promise<void> {
    const { name, namespace } = identityOf(pod);
    const { annotations } = recordAt(pod, 'metadata');
    const restored = this.fates.get(String(recordAt(pod, 'spec').nodeName))?.restored;
    const back = restored ?? condition('nvidia.com/Restored', 'True', 'RestoreSucceeded');
    const conditions =
      annotations === undefined
        ? []
        : [back, { type: 'Ready', status: restored === undefined ? 'True' : 'False' }];
    const body = { status: { phase: 'Running', conditions } };
    await this.patch(
      { kind: kinds.pod, namespace, name },
      'status',
      { type: 'merge', body },
      never,
    );
  }

  async #capture(snapshot: RawObject): Promise<void> {
    const { name, namespace } = identityOf(snapshot);
    const pod = this.peek({ kind: kinds.pod, namespace, name }) ?? {};
    const node = String(recordAt(pod, 'spec').nodeName);
    const body = { status: this.fates.get(node)?.capture ?? captured };
    const key = { kind: kinds.podSnapshot, namespace, name };
    await this.patch(key, 'status', { type: 'merge', body }, never);
  }
}
