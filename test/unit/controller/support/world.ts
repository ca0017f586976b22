import { AgentBeats } from '../../../../controller/agent-beats.ts';
import { checkpointReconcile } from '../../../../controller/checkpoint/reconcile.ts';
import { contentReconcile } from '../../../../controller/content/reconcile.ts';
import { FirstSeen } from '../../../../controller/first-seen.ts';
import { Heartbeats } from '../../../../controller/heartbeats.ts';
import {
  checkpointIndexFunctions,
  jobIndexFunctions,
  podIndexFunctions,
  podRestoreIndexFunctions,
  snapshotIndexFunctions,
  snapshotJobIndexFunctions,
} from '../../../../controller/indexes.ts';
import { OwnWrites } from '../../../../controller/own-writes.ts';
import { parseRestorePod, parseSlimNode } from '../../../../controller/parse-slim.ts';
import { podRestoreReconcile } from '../../../../controller/pod-restore/reconcile.ts';
import { SnapshotMemory } from '../../../../controller/snapshot/memory.ts';
import { snapshotReconcile } from '../../../../controller/snapshot/reconcile.ts';
import { snapshotJobReconcile } from '../../../../controller/snapshot-job/reconcile.ts';
import { parseDynamoCheckpoint } from '../../../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../../../core/api/kinds.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { systemNamespace } from '../../../../core/api/names.ts';
import { parsePodRestore } from '../../../../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import { parseSnapshotJob } from '../../../../core/api/snapshot-job.ts';
import { parseJob, parseLease, parsePod } from '../../../../core/api/workload.ts';
import { isFailure } from '../../../../core/failure.ts';
import type { EventRecord } from '../../../../runtime/events.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { serverNow } from '../../../../runtime/kube-port.ts';
import { cacheKey, identityOf, isRecord } from '../../../../runtime/raw-object.ts';
import type { Next } from '../../../../runtime/reconciler.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';
import { KubeCache } from './kube-cache.ts';

const never = new AbortController().signal;

/** What a test may throw from a hook to stop a controller dead. */
export class Crash extends Error {}

/** A parser of raw objects for caches that take anything. */
const slim =
  <T>(parse: (raw: RawObject) => Parsed<T>) =>
  (raw: unknown): Parsed<T> =>
    parse(isRecord(raw) ? raw : {});

type Reconciles = ReadonlyMap<Kind, (key: string, signal: AbortSignal) => Promise<Next>>;

/** A memory API server, a fake clock, and controllers on it that can be ended and started anew. */
export class World {
  readonly clock = new FakeClock();
  readonly kube = new MemoryKube(this.clock);
  readonly events: EventRecord[] = [];
  readonly snapshots = new KubeCache(
    this.kube,
    kinds.podSnapshot,
    parsePodSnapshot,
    snapshotIndexFunctions,
  );
  readonly contents = new KubeCache(
    this.kube,
    kinds.podSnapshotContent,
    parsePodSnapshotContent,
    {},
  );
  readonly checkpoints = new KubeCache(
    this.kube,
    kinds.dynamoCheckpoint,
    parseDynamoCheckpoint,
    checkpointIndexFunctions,
  );
  readonly snapshotJobs = new KubeCache(
    this.kube,
    kinds.snapshotJob,
    parseSnapshotJob,
    snapshotJobIndexFunctions,
  );
  readonly jobs = new KubeCache(this.kube, kinds.job, parseJob, jobIndexFunctions);
  readonly podRestores = new KubeCache(
    this.kube,
    kinds.podRestore,
    parsePodRestore,
    podRestoreIndexFunctions,
  );
  readonly restorePods = new KubeCache(this.kube, kinds.pod, slim(parseRestorePod), {});
  readonly nodes = new KubeCache(this.kube, kinds.node, slim(parseSlimNode), {});
  readonly pods = new KubeCache(this.kube, kinds.pod, parsePod, podIndexFunctions);
  /** The watch of the heartbeat Leases delivers nothing while this is set. */
  deafToBeats = false;
  #beats = new AgentBeats(this.clock);
  #reconciles: Reconciles;

  constructor() {
    this.#reconciles = this.#start();
  }

  /** A new controller process: what the old one remembered is gone. */
  restart(): void {
    this.#beats = new AgentBeats(this.clock);
    this.#reconciles = this.#start();
  }

  #hearBeats(): void {
    if (this.deafToBeats) return;
    for (const raw of this.kube.all(kinds.lease)) {
      const lease = parseLease(raw);
      if (lease.ok) this.#beats.seen(identityOf(raw).name, lease.value);
    }
  }

  #start(): Reconciles {
    const { kube, clock, contents, checkpoints, jobs, pods, snapshotJobs, snapshots } = this;
    const { podRestores, restorePods, nodes } = this;
    const events = { record: (event: EventRecord) => void this.events.push(event) };
    const serverMilliseconds = (): number =>
      serverNow(kube, clock.monotonicMilliseconds()) ?? clock.wallMilliseconds();
    const shared = {
      ...{ kube, clock, events, contents, checkpoints, jobs, pods, snapshotJobs, snapshots },
      ...{ podRestores, restorePods, nodes, initImage: 'init' },
      ownPodRestores: new OwnWrites(podRestores),
      podOverSince: new FirstSeen(clock),
      serverMilliseconds,
      ownSnapshotJobs: new OwnWrites(snapshotJobs),
      completedSince: new FirstSeen(clock),
      snapshotFailedSince: new FirstSeen(clock),
      ownCheckpoints: new OwnWrites(checkpoints),
      ownSnapshots: new OwnWrites(snapshots),
      beats: this.#beats,
      ...{ namespace: systemNamespace, initImage: 'init' },
      heartbeats: new Heartbeats(kube, clock, systemNamespace, this.#beats),
      memory: new SnapshotMemory(clock),
      readySince: new FirstSeen(clock),
    };
    return new Map([
      [kinds.dynamoCheckpoint, checkpointReconcile(shared)],
      [kinds.snapshotJob, snapshotJobReconcile(shared)],
      [kinds.podSnapshot, snapshotReconcile(shared)],
      [kinds.podSnapshotContent, contentReconcile(shared)],
      [kinds.podRestore, podRestoreReconcile(shared)],
    ]);
  }

  /** One reconcile of every object of our kinds; conflicts and retries are left to the next round. Returns what each asked for. */
  async round(): Promise<readonly Next[]> {
    const asked: Next[] = [];
    this.#hearBeats();
    for (const [kind, reconcile] of this.#reconciles) {
      for (const object of this.kube.all(kind)) {
        const { name, namespace } = identityOf(object);
        try {
          asked.push(await reconcile(cacheKey(namespace, name), never));
        } catch (error) {
          if (error instanceof Crash || !isFailure(error)) throw error;
        }
      }
    }
    return asked;
  }

  /** Rounds until nothing is written any more. */
  async rest(): Promise<void> {
    for (let round = 0; round < 20; round += 1) {
      const before = this.kube.writes.length;
      await this.round();
      if (this.kube.writes.length === before) return;
    }
    throw new Error('the controllers do not come to rest');
  }

  /** Lets time pass in steps of ten seconds with a round after each, as the controllers asked for. */
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 10) {
      await this.clock.advance(Math.min(10, left) * 1000);
      await this.rest();
    }
  }

  /** Something else in the cluster writes a status. */
  async status(kind: Kind, namespace: string, name: string, status: RawObject): Promise<void> {
    const key = { kind, namespace, name };
    await this.kube.patch(key, 'status', { type: 'merge', body: { status } }, never);
  }

  async create(kind: Kind, object: RawObject): Promise<RawObject> {
    return this.kube.create(kind, object, { dryRun: false }, never);
  }

  async remove(kind: Kind, namespace: string, name: string): Promise<void> {
    await this.kube.delete({ kind, namespace, name }, {}, never);
  }

  snapshot(name: string) {
    return this.snapshots.get(`default/${name}`);
  }

  checkpoint(name: string) {
    return this.checkpoints.get(`default/${name}`);
  }

  snapshotJob(name: string) {
    return this.snapshotJobs.get(`default/${name}`);
  }

  podRestore(name: string) {
    return this.podRestores.get(`default/${name}`);
  }

  /** The content of a snapshot, by its back-link. */
  contentOf(snapshotName: string) {
    return this.contents.list().find(({ spec }) => spec.snapshotRef.name === snapshotName);
  }
}
