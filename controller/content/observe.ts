import { isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { captureLeaseName, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { cacheKey, identityOf } from '../../runtime/raw-object.ts';
import { readRaw } from '../../runtime/read-raw.ts';
import type { AgentBeats, AgentStore } from '../agent-beats.ts';
import type { Heartbeats } from '../heartbeats.ts';
import { shortHash } from '../source-job/short-hash.ts';
import type { ObservedContent } from './observed.ts';

/** What the observation of contents reads. */
export type ContentSources = {
  readonly kube: Kube;
  readonly contents: ObjectReader<PodSnapshotContent, never>;
  readonly heartbeats: Pick<Heartbeats, 'look'>;
  readonly beats: Pick<AgentBeats, 'living' | 'storeOf'>;
  readonly snapshots: Pick<ObjectReader<PodSnapshot, never>, 'get'>;
  /** Where the Leases of captures are. */
  readonly namespace: string;
};

/** The Lease of a capture is only asked for where a silent agent may have begun without a word. */
const askForLeaseAfterMilliseconds = 60_000;

/** Reads what is known of a content; undefined when the cache has none of that name. */
export async function observeContent(
  sources: ContentSources,
  key: string,
  signal: AbortSignal,
): Promise<ObservedContent | undefined> {
  const content = sources.contents.get(key);
  if (content === undefined) return undefined;
  const { artifact, nodeName } = content.spec.source;
  const deleting = content.metadata.deletionTimestamp !== undefined;
  const node = content.metadata.labels[labels.node] ?? nodeName;
  const orphaned = !deleting && (await isOrphaned(sources, content, signal));
  const concerned = deleting || artifact !== undefined || orphaned;
  const agent =
    concerned && node !== undefined ? await sources.heartbeats.look(node, signal) : undefined;
  const store = storeOf(sources, content, node);
  const asks =
    deleting && (agent === undefined || agent.silentMilliseconds >= askForLeaseAfterMilliseconds);
  return Object.freeze({
    phase: deleting ? 'Deleting' : 'Live',
    content,
    node,
    agent,
    heir: concerned ? heirOf(sources, content, node, store) : undefined,
    isShared: store?.sharedID !== undefined,
    begun: asks && (await hasLease(sources, content, signal)),
    orphaned,
  });
}

/**
 * One whose snapshot is in the cache costs nothing. One that was released is an administrator's; one without our finalizer was never ours, whatever
 * it says.
 */
async function isOrphaned(
  { kube, snapshots }: ContentSources,
  { metadata, spec, status }: PodSnapshotContent,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = spec.snapshotRef;
  if (uid === undefined || !metadata.finalizers.includes(finalizers.content)) return false;
  if (isTrue(status.conditions, 'Released')) return false;
  if (snapshots.get(cacheKey(namespace, name))?.metadata.uid === uid) return false;
  const found = await readRaw(kube, { kind: kinds.podSnapshot, namespace, name }, signal);
  return found === undefined || identityOf(found).uid !== uid;
}

/** The store of the node that has the content now, else that of the node that captured it. */
function storeOf(
  { beats }: ContentSources,
  { spec }: PodSnapshotContent,
  node: string | undefined,
): AgentStore | undefined {
  const known = node === undefined ? undefined : beats.storeOf(node);
  const { nodeName } = spec.source;
  return known ?? (nodeName === undefined ? undefined : beats.storeOf(nodeName));
}

/** Contents are spread over the agents that could take them; the same agent is named again while the same ones are heard. */
function heirOf(
  { beats }: ContentSources,
  { metadata, spec, status }: PodSnapshotContent,
  node: string | undefined,
  store: AgentStore | undefined,
): string | undefined {
  const name = status.artifact?.store ?? spec.source.artifact?.store;
  const isWanted = ({ name: other, sharedID }: AgentStore): boolean => {
    if (sharedID === undefined) return false;
    return store?.sharedID === undefined
      ? node === undefined && other === name
      : sharedID === store.sharedID;
  };
  const able = beats.living(isWanted).filter((one) => one !== node);
  return able[Number.parseInt(shortHash(metadata.uid).slice(0, 8), 16) % able.length];
}

async function hasLease(
  { kube, namespace }: ContentSources,
  { metadata }: PodSnapshotContent,
  signal: AbortSignal,
): Promise<boolean> {
  const key = { kind: kinds.lease, namespace, name: captureLeaseName(metadata.uid) };
  return (await readRaw(kube, key, signal)) !== undefined;
}
