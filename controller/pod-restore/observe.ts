import { kinds } from '../../core/api/kinds.ts';
import { contentName } from '../../core/api/names.ts';
import type { Node } from '../../core/api/node.ts';
import { type PodRestore, verdictOf } from '../../core/api/pod-restore.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import type { AgentBeats } from '../agent-beats.ts';
import type { FirstSeen } from '../first-seen.ts';
import type { OwnWrites } from '../own-writes.ts';
import { read } from '../read.ts';
import { ageOf, type Sighting } from '../source-job/sighting.ts';
import type {
  ObservedPodRestore,
  Plan,
  PodRestoreStep,
  RestoredPod,
  SnapshotSight,
} from './observed.ts';
import { planCold, planPlaceholder } from './plan.ts';
import { podNameOf } from './pod-view.ts';
import { sightPod } from './sight-pod.ts';
import { sightSnapshot } from './sight-snapshot.ts';

/** What the observation of PodRestores reads. */
export type PodRestoreSources = {
  readonly kube: Kube;
  readonly podRestores: ObjectReader<PodRestore, 'snapshot' | 'waiting'>;
  readonly ownPodRestores: OwnWrites<PodRestore>;
  readonly snapshots: Pick<ObjectReader<PodSnapshot, never>, 'get'>;
  /** Pods that PodRestores made. */
  readonly restorePods: Pick<ObjectReader<Pod, never>, 'get'>;
  readonly nodes: Pick<ObjectReader<Node, never>, 'list'>;
  readonly beats: Pick<AgentBeats, 'living' | 'storeOf'>;
  /** Since when the pods of PodRestores are over, by key. */
  readonly podOverSince: FirstSeen;
  readonly initImage: string;
  /** The API server's time, as far as it is known. */
  readonly serverMilliseconds: () => number;
};

/** How far a PodRestore is, from its own state alone. */
export function stepOf(restore: PodRestore): PodRestoreStep {
  const { metadata, status } = restore;
  if (metadata.deletionTimestamp !== undefined) return 'Deleting';
  const { phase } = status;
  if (phase === 'Restored' || phase === 'StartedCold' || phase === 'Failed') return 'Settled';
  if (verdictOf(restore) !== undefined) return 'Ending';
  return status.podUID === undefined ? 'New' : 'Placed';
}

/** Reads what is known of a PodRestore; undefined when the cache has none of that name. */
export async function observePodRestore(
  sources: PodRestoreSources,
  key: string,
  signal: AbortSignal,
): Promise<ObservedPodRestore | undefined> {
  const restore = sources.ownPodRestores.get(key);
  const step = restore === undefined ? undefined : stepOf(restore);
  if (restore === undefined || step === undefined) {
    sources.podOverSince.since(key, false);
    return undefined;
  }
  const now = sources.serverMilliseconds();
  const pod = await sightPod(sources, restore, step, signal);
  const isOver = step === 'Placed' && pod.state === 'ours' && pod.object.over;
  const snapshot: SnapshotSight =
    step === 'New' || step === 'Placed'
      ? await sightSnapshot(sources, restore, step, signal)
      : { state: 'unread' };
  const plain = pod.state === 'ours' ? { ...pod, object: pod.object.pod } : pod;
  return Object.freeze({
    ...{ step, restore, snapshot, pod },
    podName: podNameOf(restore),
    plan: await planOf(sources, { restore, step, snapshot, pod }, signal),
    leftMilliseconds: timeLeft(restore, now),
    podAgeMilliseconds: ageOf(plain, now),
    podOverdueMilliseconds: overdueOf(pod, now),
    sincePodOverMilliseconds: sources.podOverSince.since(key, isOver),
    ...{ rejection: undefined, quota: undefined },
  });
}

/** The API server puts the end of the grace period into `deletionTimestamp`. */
function overdueOf(pod: Sighting<RestoredPod>, now: number): number {
  if (pod.state !== 'ours') return 0;
  const due = Date.parse(pod.object.pod.metadata.deletionTimestamp ?? '');
  return Number.isNaN(due) ? 0 : now - due;
}

function timeLeft({ metadata, spec }: PodRestore, now: number): number {
  const createdAt = Date.parse(metadata.creationTimestamp);
  const total = spec.deadlineSeconds * 1000;
  return Number.isNaN(createdAt) ? total : createdAt + total - now;
}

type Sights = Pick<ObservedPodRestore, 'restore' | 'step' | 'snapshot' | 'pod'>;

/** Made only where a pod is to be made now: the template is large, and read uncached. */
async function planOf(
  sources: PodRestoreSources,
  { restore, step, snapshot, pod }: Sights,
  signal: AbortSignal,
): Promise<Plan> {
  if (step === 'New' && snapshot.state === 'ready' && pod.state !== 'foreign') {
    const content = await readContent(sources, snapshot.contentName, signal);
    if (content === undefined || content.spec.snapshotRef.uid !== snapshot.uid) {
      const message = `PodSnapshotContent ${snapshot.contentName} of PodSnapshot ${restore.spec.snapshotName} is gone.`;
      return { state: 'impossible', verdict: { reason: 'ContentLost', message } };
    }
    const { beats, initImage } = sources;
    const nodes = sources.nodes.list();
    return planPlaceholder(restore, snapshot.uid, { content, nodes, beats, initImage });
  }
  if (step !== 'Ending' || restore.spec.onFailure !== 'ColdStart' || pod.state !== 'missing') {
    return { state: 'unread' };
  }
  const why = verdictOf(restore);
  if (why === undefined) return { state: 'unread' };
  const content = await coldContent(sources, restore, signal);
  if (content === undefined) {
    const message = 'the template of the captured pod went with its snapshot.';
    return { state: 'impossible', verdict: { reason: 'NoTemplate', message } };
  }
  return planCold(restore, content, why);
}

/** Whatever became of the snapshot: its content has the template for as long as it is there. */
async function coldContent(sources: PodRestoreSources, restore: PodRestore, signal: AbortSignal) {
  const { namespace = '' } = restore.metadata;
  const snapshot = sources.snapshots.get(`${namespace}/${restore.spec.snapshotName}`);
  const uid = restore.status.snapshotUID ?? snapshot?.metadata.uid;
  if (uid === undefined) return undefined;
  const bound =
    snapshot?.metadata.uid === uid ? snapshot.status.boundSnapshotContentName : undefined;
  const content = await readContent(sources, bound ?? contentName(uid), signal);
  return content?.spec.snapshotRef.uid === uid ? content : undefined;
}

const readContent = ({ kube }: PodRestoreSources, name: string, signal: AbortSignal) =>
  read(
    kube,
    { kind: kinds.podSnapshotContent, namespace: '', name },
    parsePodSnapshotContent,
    signal,
  );
