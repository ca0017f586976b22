import { parseDynamoCheckpoint } from '../core/api/dynamo-checkpoint.ts';
import { kinds } from '../core/api/kinds.ts';
import type { Metadata } from '../core/api/metadata.ts';
import { annotations, labels, systemNamespace } from '../core/api/names.ts';
import { parsePodRestore } from '../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../core/api/pod-snapshot-content.ts';
import { parseSnapshotJob } from '../core/api/snapshot-job.ts';
import { parseLease } from '../core/api/workload.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../runtime/back-off.ts';
import type { Kube, Selection } from '../runtime/kube-port.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import type { ObjectReader } from '../runtime/object-cache.ts';
import { cacheKey } from '../runtime/raw-object.ts';
import { Reflector, type ReflectorOptions } from '../runtime/reflector.ts';
import { AgentBeats } from './agent-beats.ts';
import { followedBy } from './follow.ts';
import {
  checkpointIndexFunctions,
  contentIndexFunctions,
  jobIndexFunctions,
  podIndexFunctions,
  podRestoreIndexFunctions,
  snapshotIndexFunctions,
  snapshotJobIndexFunctions,
} from './indexes.ts';
import { ownerOf } from './ownership.ts';
import {
  parseRestorePod,
  parseSlimContent,
  parseSlimJob,
  parseSlimNode,
  parseSlimPod,
} from './parse-slim.ts';

/** Where keys to look at go. */
export type Wake = {
  readonly checkpoint: (key: string) => void;
  readonly snapshot: (key: string) => void;
  readonly content: (key: string) => void;
  readonly snapshotJob: (key: string) => void;
  readonly podRestore: (key: string) => void;
};

/** What the reflectors need from the process. */
export type CacheDeps = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Bookmarks come about every minute; two and a half of them missed is a dead connection. */
const silenceMilliseconds = 150_000;

type Given<T, Name extends string> = Pick<
  ReflectorOptions<T, Name>,
  'parse' | 'indexes' | 'onChange'
>;

function reflector<T, Name extends string>(
  { metrics, ...deps }: CacheDeps,
  selection: Selection,
  given: Given<T, Name>,
  /** As metrics call it; two selections of one kind need two names. */
  kind: string = selection.kind.kind,
): Reflector<T, Name> {
  const made = new Reflector({
    ...deps,
    ...given,
    silenceMilliseconds,
    selection,
    observer: metrics.reflectorObserver(kind),
  });
  metrics.watchReflector(kind, made);
  return made;
}

type Stored = { readonly metadata: Metadata };

const ownerKeys =
  (kind: string) =>
  ({ metadata }: Stored): readonly string[] => {
    const owner = ownerOf(metadata, kind);
    return owner === undefined ? [] : [cacheKey(metadata.namespace ?? '', owner.name)];
  };

/** A snapshot names its SnapshotJob by a label, for it is not owned by it. */
const snapshotJobKeys = ({ metadata }: Stored): readonly string[] => {
  const name = metadata.labels[labels.snapshotJob];
  return name === undefined ? [] : [cacheKey(metadata.namespace ?? '', name)];
};

/** The keys of the objects that a pod of a Job names as what it is made for. */
const ownersOfPod =
  (owners: Pick<ObjectReader<Stored, 'uid'>, 'byIndex'>) =>
  ({ metadata }: Stored): readonly string[] =>
    owners
      .byIndex('uid', metadata.labels[labels.owner] ?? '')
      .map((owner) => cacheKey(owner.metadata.namespace ?? '', owner.metadata.name));

/** A pod names its PodRestore, for it is not owned by it. */
const restoreKeys = ({ metadata }: Stored): readonly string[] => {
  const name = metadata.annotations[annotations.restoreName];
  return name === undefined ? [] : [cacheKey(metadata.namespace ?? '', name)];
};

/** The heartbeat Leases of all agents, and what they have shown: one watch, however many nodes have orders in flight. */
function heartbeatLeases(deps: CacheDeps, namespace: string, arrived: () => void) {
  const beats = new AgentBeats(deps.clock);
  const leases = reflector(
    deps,
    { kind: kinds.lease, namespace, labelSelector: `${labels.heartbeat}=true` },
    {
      parse: parseLease,
      indexes: {},
      onChange: (key, lease) => {
        if (beats.seen(key.slice(key.indexOf('/') + 1), lease)) arrived();
      },
    },
  );
  return Object.assign(leases, { beats });
}

/** PodRestores, the pods that they made, and the nodes that could have them. */
function restoreCaches(deps: CacheDeps, wake: Pick<Wake, 'podRestore'>) {
  const podRestores = reflector(
    deps,
    { kind: kinds.podRestore },
    { parse: parsePodRestore, indexes: podRestoreIndexFunctions, onChange: wake.podRestore },
  );
  const wakeBy = (index: 'snapshot' | 'waiting', value: string): void => {
    for (const { metadata } of podRestores.byIndex(index, value)) {
      wake.podRestore(cacheKey(metadata.namespace ?? '', metadata.name));
    }
  };
  const restoresOfPods = followedBy(restoreKeys, wake.podRestore);
  const restorePods = reflector(
    deps,
    { kind: kinds.pod, labelSelector: labels.restoreUID },
    { parse: parseRestorePod, indexes: {}, onChange: restoresOfPods },
    'RestoredPod',
  );
  const nodes = reflector(
    deps,
    { kind: kinds.node },
    { parse: parseSlimNode, indexes: {}, onChange: () => wakeBy('waiting', 'node') },
  );
  return { podRestores, restorePods, nodes, wakeBy };
}

/**
 * The ten copies of cluster state that the controller keeps. Of pods only those of source Jobs and of restores: the pod of a user's snapshot
 * is read uncached when it is needed, and one that is not placed yet is looked at again and again, ever more rarely. `namespace`: where the
 * agents' heartbeats are.
 */
export function controllerCaches(deps: CacheDeps, wake: Wake, namespace = systemNamespace) {
  const checkpoints = reflector(
    deps,
    { kind: kinds.dynamoCheckpoint },
    {
      parse: parseDynamoCheckpoint,
      indexes: checkpointIndexFunctions,
      onChange: wake.checkpoint,
    },
  );
  const snapshotJobs = reflector(
    deps,
    { kind: kinds.snapshotJob },
    {
      parse: parseSnapshotJob,
      indexes: snapshotJobIndexFunctions,
      onChange: wake.snapshotJob,
    },
  );
  const restores = restoreCaches(deps, wake);
  const checkpointsOfSnapshots = followedBy(ownerKeys('DynamoCheckpoint'), wake.checkpoint);
  const snapshotJobsOfSnapshots = followedBy(snapshotJobKeys, wake.snapshotJob);
  const snapshots = reflector(
    deps,
    { kind: kinds.podSnapshot },
    {
      parse: parsePodSnapshot,
      indexes: snapshotIndexFunctions,
      onChange: (key, snapshot) => {
        wake.snapshot(key);
        checkpointsOfSnapshots(key, snapshot);
        snapshotJobsOfSnapshots(key, snapshot);
        restores.wakeBy('snapshot', key);
      },
    },
  );
  const snapshotsOfContents = followedBy(
    ({ spec }: PodSnapshotContent) => [cacheKey(spec.snapshotRef.namespace, spec.snapshotRef.name)],
    wake.snapshot,
  );
  const contents = reflector(
    deps,
    { kind: kinds.podSnapshotContent },
    {
      parse: parseSlimContent,
      indexes: contentIndexFunctions,
      onChange: (key, content) => {
        wake.content(key);
        snapshotsOfContents(key, content);
      },
    },
  );
  const checkpointsOfJobs = followedBy(ownerKeys('DynamoCheckpoint'), wake.checkpoint);
  const snapshotJobsOfJobs = followedBy(ownerKeys('SnapshotJob'), wake.snapshotJob);
  const jobs = reflector(
    deps,
    { kind: kinds.job, labelSelector: labels.checkpointID },
    {
      parse: parseSlimJob,
      indexes: jobIndexFunctions,
      onChange: (key, job) => {
        checkpointsOfJobs(key, job);
        snapshotJobsOfJobs(key, job);
      },
    },
  );
  const checkpointsOfPods = followedBy(ownersOfPod(checkpoints), wake.checkpoint);
  const snapshotJobsOfPods = followedBy(ownersOfPod(snapshotJobs), wake.snapshotJob);
  const pods = reflector(
    deps,
    { kind: kinds.pod, labelSelector: labels.checkpointSource },
    {
      parse: parseSlimPod,
      indexes: podIndexFunctions,
      onChange: (key, pod) => {
        checkpointsOfPods(key, pod);
        snapshotJobsOfPods(key, pod);
        for (const { metadata } of snapshots.byIndex('pod', key)) {
          wake.snapshot(cacheKey(metadata.namespace ?? '', metadata.name));
        }
      },
    },
  );
  const heartbeats = heartbeatLeases(deps, namespace, () => restores.wakeBy('waiting', 'node'));
  const { podRestores, restorePods, nodes } = restores;
  const own = { checkpoints, snapshotJobs, snapshots, contents, podRestores };
  return { ...own, jobs, pods, restorePods, nodes, heartbeats };
}

/** All reflectors of the controller. */
export type ControllerCaches = ReturnType<typeof controllerCaches>;
