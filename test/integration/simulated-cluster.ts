import { isTrue } from '../../core/api/conditions.ts';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../core/api/kinds.ts';
import {
  agentLeaseName,
  annotations,
  heartbeatMarks,
  labels,
  systemNamespace,
} from '../../core/api/names.ts';
import { type PodRestore, parsePodRestore } from '../../core/api/pod-restore.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { parseSnapshotJob, type SnapshotJob } from '../../core/api/snapshot-job.ts';
import { isJobOver, type Job, type Pod, parseJob, parsePod } from '../../core/api/workload.ts';
import { systemClock } from '../../core/clock.ts';
import { isFailure } from '../../core/failure.ts';
import type { Kube, RawObject } from '../../runtime/kube-port.ts';
import { silentLog } from '../../runtime/log.ts';
import { recordAt } from '../../runtime/raw-object.ts';
import { done, runReconciler } from '../../runtime/reconciler.ts';
import { Reflector, silentReflectorObserver } from '../../runtime/reflector.ts';
import { silentQueueObserver } from '../../runtime/work-queue.ts';
import {
  at,
  cancelled,
  captured,
  completedJob,
  condition,
  failedJob,
} from './controller-objects.ts';
import { agentSays, nodeWithAgent } from './restore-objects.ts';

const never = new AbortController().signal;
const nodeName = 'node-a';
const beatMilliseconds = 5_000;

/** Everything of one namespace, contents of its snapshots included. */
export type Seen = {
  readonly checkpoints: readonly DynamoCheckpoint[];
  readonly snapshots: readonly PodSnapshot[];
  readonly contents: readonly PodSnapshotContent[];
  readonly jobs: readonly Job[];
  readonly snapshotJobs: readonly SnapshotJob[];
  readonly podRestores: readonly PodRestore[];
  readonly restorePods: readonly Pod[];
};

/** What the others do in a namespace beside what they always do. */
export type Manners = {
  /** Whether the agent captures what is bound; while it does not, it only answers a cancel. */
  readonly captures: (seen: Seen) => boolean;
  /** The first Job of a checkpoint fails. */
  readonly firstJobFails: boolean;
  /** What the agent makes of a placeholder; without it nothing. */
  readonly restores?: 'RestoreSucceeded' | 'RestoreFailed';
  /** What the user does when things are so. */
  readonly user: (seen: Seen, hands: Hands) => Promise<void>;
};

/** How a user acts. */
export type Hands = {
  readonly patch: (kind: Kind, name: string, body: RawObject) => Promise<void>;
  readonly remove: (kind: Kind, name: string) => Promise<void>;
  readonly create: (kind: Kind, object: RawObject) => Promise<void>;
};

type Stored = {
  readonly metadata: { readonly namespace?: string | undefined; readonly uid: string };
};

/**
 * The rest of a cluster for many namespaces side by side: the Job controller, one agent and users, which act on what they see of a
 * namespace, again and again until nothing is left to do.
 */
export class SimulatedCluster {
  /** UIDs of all Jobs, snapshots and contents that ever were, by namespace and kind. */
  readonly ever = new Map<string, Set<string>>();
  readonly #kube: Kube;
  readonly #manners = new Map<string, Manners>();
  readonly #ended = new AbortController();
  readonly #queue = runReconciler({
    ...{ name: 'cluster', slots: 8, clock: systemClock, random: Math.random, log: silentLog },
    queueObserver: silentQueueObserver,
    ended: () => {},
    fenced: () => {},
    reconcile: async (namespace) => {
      await this.#act(namespace);
      return done;
    },
  });
  readonly #checkpoints: Reflector<DynamoCheckpoint, 'namespace'>;
  readonly #snapshots: Reflector<PodSnapshot, 'namespace'>;
  readonly #contents: Reflector<PodSnapshotContent, 'namespace'>;
  readonly #jobs: Reflector<Job, 'namespace'>;
  readonly #snapshotJobs: Reflector<SnapshotJob, 'namespace'>;
  readonly #podRestores: Reflector<PodRestore, 'namespace'>;
  readonly #restorePods: Reflector<Pod, 'namespace'>;

  constructor(kube: Kube) {
    this.#kube = kube;
    const { dynamoCheckpoint, job, podSnapshot, podSnapshotContent, snapshotJob } = kinds;
    this.#checkpoints = this.#reflector(dynamoCheckpoint, parseDynamoCheckpoint, namespaceOf);
    this.#snapshots = this.#reflector(podSnapshot, parsePodSnapshot, namespaceOf);
    const homeOf = ({ spec }: PodSnapshotContent) => spec.snapshotRef.namespace;
    this.#contents = this.#reflector(podSnapshotContent, parsePodSnapshotContent, homeOf);
    this.#jobs = this.#reflector(job, parseJob, namespaceOf);
    this.#snapshotJobs = this.#reflector(snapshotJob, parseSnapshotJob, namespaceOf);
    this.#podRestores = this.#reflector(kinds.podRestore, parsePodRestore, namespaceOf);
    this.#restorePods = this.#reflector(kinds.pod, parsePod, namespaceOf, labels.restoreUID);
  }

  async start(): Promise<void> {
    const all = [
      ...[this.#checkpoints, this.#snapshots, this.#contents, this.#jobs],
      ...[this.#snapshotJobs, this.#podRestores, this.#restorePods],
    ];
    for (const each of all) void each.run(this.#ended.signal);
    await Promise.all(all.map(({ synced }) => synced));
    await nodeWithAgent(this.#kube, nodeName);
    await this.#beat();
  }

  async close(): Promise<void> {
    this.#ended.abort(new Error('the cluster ends'));
    await this.#queue.stop(0);
  }

  /** From now on the others act in this namespace. */
  inhabit(namespace: string, manners: Manners): void {
    this.#manners.set(namespace, manners);
    this.#queue.add(namespace);
  }

  see(namespace: string): Seen {
    const here = <T>(reader: { byIndex(index: 'namespace', value: string): readonly T[] }) =>
      reader.byIndex('namespace', namespace);
    return {
      checkpoints: here(this.#checkpoints),
      snapshots: here(this.#snapshots),
      contents: here(this.#contents),
      jobs: here(this.#jobs),
      snapshotJobs: here(this.#snapshotJobs),
      podRestores: here(this.#podRestores),
      restorePods: here(this.#restorePods),
    };
  }

  #reflector<T extends Stored>(
    kind: Kind,
    parse: ConstructorParameters<typeof Reflector<T, 'namespace'>>[0]['parse'],
    namespaceOfObject: (object: T) => string,
    labelSelector = '',
  ): Reflector<T, 'namespace'> {
    const last = new Map<string, string>();
    return new Reflector<T, 'namespace'>({
      ...{ kube: this.#kube, clock: systemClock, random: Math.random, log: silentLog, parse },
      observer: silentReflectorObserver,
      selection: { kind, ...(labelSelector === '' ? {} : { labelSelector }) },
      silenceMilliseconds: 150_000,
      indexes: { namespace: (object) => [namespaceOfObject(object)] },
      onChange: (key, object) => {
        const namespace = object === undefined ? last.get(key) : namespaceOfObject(object);
        if (namespace === undefined) return;
        last.set(key, namespace);
        const place = `${namespace} ${kind.kind}`;
        const uids = this.ever.get(place) ?? new Set();
        if (object !== undefined) uids.add(object.metadata.uid);
        this.ever.set(place, uids);
        this.#queue.add(namespace);
      },
    });
  }

  async #act(namespace: string): Promise<void> {
    const manners = this.#manners.get(namespace);
    if (manners === undefined) return;
    const seen = this.see(namespace);
    for (const job of seen.jobs) await this.#job(job, seen, manners);
    for (const content of seen.contents) await this.#order(content, seen, manners);
    for (const pod of seen.restorePods) await this.#placeholder(pod, manners);
    await manners.user(seen, {
      patch: (kind, name, body) => this.#patch(kind, namespace, name, '', body),
      remove: (kind, name) => taken(this.#kube.delete({ kind, namespace, name }, {}, never)),
      create: (kind, object) => taken(this.#kube.create(kind, object, { dryRun: false }, never)),
    });
  }

  /** The agent of the node, and the scheduler: what is to be restored is placed and restored, or fails. */
  async #placeholder({ metadata, status }: Pod, { restores }: Manners): Promise<void> {
    const { name, namespace = '' } = metadata;
    const said = status.conditions.some(({ type }) => type === restoredCondition);
    const isPlaceholder = metadata.annotations[annotations.restoreFrom] !== undefined;
    if (restores === undefined || said || !isPlaceholder) return;
    await taken(agentSays(this.#kube, namespace, name, { reason: restores, attempts: 1 }));
  }

  async #job(job: Job, seen: Seen, manners: Manners): Promise<void> {
    const { name, namespace = '', uid, labels } = job.metadata;
    if (isJobOver(job)) return;
    const say = (status: RawObject) =>
      this.#patch(kinds.job, namespace, name, 'status', { status });
    if (manners.firstJobFails && !name.endsWith('-r1')) return say(failedJob);
    const isCaptured =
      seen.checkpoints.some(({ status }) => status.phase === 'Ready') ||
      seen.snapshotJobs.some(({ status }) => isTrue(status.conditions, 'Completed'));
    if (isCaptured) return say(completedJob);
    if (job.status.ready === 1) return;
    const template = recordAt(recordAt(job.spec, 'template'), 'metadata');
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true };
    await this.pod(namespace, `${name}-pod`, {
      labels: { ...labels, ...recordAt(template, 'labels') },
      ownerReferences: [owner],
    });
    await say({ startTime: at, active: 1, ready: 1 });
  }

  /** A pod on a node that nobody runs. */
  async pod(namespace: string, name: string, extra: RawObject): Promise<void> {
    const spec = {
      nodeName,
      containers: [{ name: 'main', image: 'sample' }],
      terminationGracePeriodSeconds: 0,
    };
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, ...extra }, spec };
    await taken(this.#kube.create(kinds.pod, object, { dryRun: false }, never));
  }

  async #order(content: PodSnapshotContent, seen: Seen, manners: Manners): Promise<void> {
    const { name, deletionTimestamp } = content.metadata;
    const { conditions } = content.status;
    const say = (status: RawObject) =>
      this.#patch(kinds.podSnapshotContent, '', name, 'status', { status });
    if (deletionTimestamp !== undefined) {
      if (isTrue(conditions, 'ArtifactDeleted')) return;
      const gone = condition('ArtifactDeleted', 'True', 'ArtifactDeleted', '');
      return say({ conditions: [...conditions, gone] });
    }
    if (isTrue(conditions, 'Ready') || isTrue(conditions, 'Failed')) return;
    if (content.spec.cancel) return say(cancelled);
    const isBound = seen.snapshots.some(
      ({ metadata, status }) =>
        metadata.uid === content.spec.snapshotRef.uid && status.boundSnapshotContentName === name,
    );
    if (isBound && manners.captures(seen)) await say(captured);
  }

  #patch(
    kind: Kind,
    namespace: string,
    name: string,
    part: '' | 'status',
    body: RawObject,
  ): Promise<void> {
    return taken(this.#kube.patch({ kind, namespace, name }, part, { type: 'merge', body }, never));
  }

  /** The heartbeat of the agent, as long as the cluster lives. */
  async #beat(): Promise<void> {
    const name = agentLeaseName(nodeName);
    const key = { kind: kinds.lease, namespace: systemNamespace, name };
    const spec = {
      holderIdentity: 'agent',
      renewTime: `${new Date().toISOString().slice(0, 23)}000Z`,
    };
    const object = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...{ name, namespace: systemNamespace },
        ...heartbeatMarks({ name: 'dir', sharedID: '' }),
      },
      spec,
    };
    await taken(this.#kube.create(kinds.lease, object, { dryRun: false }, never));
    await taken(this.#kube.patch(key, '', { type: 'merge', body: { spec } }, never));
    if (this.#ended.signal.aborted) return;
    const cancel = systemClock.after(beatMilliseconds, () => void this.#beat());
    this.#ended.signal.addEventListener('abort', cancel, { once: true });
  }
}

const namespaceOf = ({ metadata }: Stored): string => metadata.namespace ?? '';

/** What was done already, or is gone, needs no doing; the rest comes back. */
async function taken(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isFailure(error, 'conflict', 'gone')) throw error;
  }
}
