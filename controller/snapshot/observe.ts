import { kinds } from '../../core/api/kinds.ts';
import { contentName, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { parsePod } from '../../core/api/workload.ts';
import type { Clock } from '../../core/clock.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { readRaw } from '../../runtime/read-raw.ts';
import type { Heartbeats } from '../heartbeats.ts';
import type { OwnWrites } from '../own-writes.ts';
import { parsedOrRetry, read } from '../read.ts';
import type { SnapshotMemory } from './memory.ts';
import { mirrorPatch } from './mirror.ts';
import type {
  AgentSighting,
  ContentSighting,
  ObservedSnapshot,
  PodSighting,
  SnapshotPhase,
} from './observed.ts';
import { outcomeOf, phaseOf, tieOf } from './outcome.ts';

/** What the observation of snapshots reads. */
export type SnapshotSources = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly ownSnapshots: OwnWrites<PodSnapshot>;
  readonly contents: ObjectReader<PodSnapshotContent, never>;
  readonly heartbeats: Heartbeats;
  readonly memory: SnapshotMemory;
  /** The API server's time in milliseconds since the epoch. */
  readonly serverMilliseconds: () => number;
};

/** An order this young has an agent that is just taking it up; nobody asks after its heartbeat. */
const heartbeatAfterMilliseconds = 5_000;

/** Reads what is known of a snapshot; undefined when the cache has none of that name. */
export async function observeSnapshot(
  sources: SnapshotSources,
  key: string,
  signal: AbortSignal,
): Promise<ObservedSnapshot | undefined> {
  const snapshot = sources.ownSnapshots.get(key);
  if (snapshot === undefined) {
    sources.memory.forget(key);
    return undefined;
  }
  const phase = phaseOf(snapshot);
  const content = await sightContent(sources, snapshot, phase, signal);
  // The effect that puts the finalizer on reads the pod meanwhile.
  const pod = isUntouched(snapshot, phase)
    ? ({ state: 'unread' } as const)
    : await sightPod(sources, snapshot, phase, content, signal);
  const cancelled = content.state === 'found' && content.content.spec.cancel;
  return Object.freeze({
    phase,
    snapshot,
    ageMilliseconds: age(sources, snapshot.metadata.creationTimestamp),
    deletingMilliseconds: age(sources, snapshot.metadata.deletionTimestamp ?? ''),
    pod,
    content,
    agent: phase === 'Bound' ? await sightAgent(sources, content, signal) : undefined,
    news: newsOf(snapshot, content),
    sinceWriteMilliseconds: sources.memory.sinceWrite(key),
    sinceCancelMilliseconds: sources.memory.sinceCancel(key, cancelled),
    rejection: undefined,
  });
}

function age({ serverMilliseconds }: SnapshotSources, creationTimestamp: string): number {
  const createdAt = Date.parse(creationTimestamp);
  return Number.isNaN(createdAt) ? 0 : Math.max(0, serverMilliseconds() - createdAt);
}

/** What a content says beyond its snapshot. */
export function newsOf(snapshot: PodSnapshot, sighting: ContentSighting): ObservedSnapshot['news'] {
  if (sighting.state !== 'found' || !sighting.ours) return 'none';
  if (mirrorPatch(snapshot, sighting.content, undefined, '') === undefined) return 'none';
  return sighting.outcome === 'open' ? 'progress' : 'end';
}

/** A content as the snapshot sees it. */
export function sighted(
  snapshot: PodSnapshot,
  content: PodSnapshotContent,
  fresh: boolean,
): ContentSighting & { readonly state: 'found' } {
  const tie = tieOf(content, snapshot);
  return {
    state: 'found',
    content,
    ours: tie !== 'none',
    claimed: tie === 'claimed',
    fresh,
    outcome: outcomeOf(content.status.conditions),
  };
}

/** The name of a snapshot's content; while unbound the one it would get, so that a crash before the bind leaves no orphan. */
function nameOf(snapshot: PodSnapshot): string | undefined {
  const { boundSnapshotContentName } = snapshot.status;
  if (boundSnapshotContentName !== undefined) return boundSnapshotContentName;
  const { source } = snapshot.spec;
  return source.podRef === undefined ? source.contentName : contentName(snapshot.metadata.uid);
}

/** Nothing is made of a pod before the finalizer stands, and that write fits this version alone: a look at anything else would tell nothing. */
const isUntouched = ({ metadata, spec }: PodSnapshot, phase: SnapshotPhase): boolean =>
  phase === 'Unbound' &&
  !metadata.finalizers.includes(finalizers.snapshot) &&
  spec.source.podRef !== undefined;

async function sightContent(
  sources: SnapshotSources,
  snapshot: PodSnapshot,
  phase: SnapshotPhase,
  signal: AbortSignal,
): Promise<ContentSighting> {
  if (phase === 'Failed') return { state: 'unread' };
  const name = nameOf(snapshot);
  if (name === undefined) return { state: 'missing', name: '' };
  if (isUntouched(snapshot, phase)) return { state: 'missing', name };
  const cached = sources.contents.get(name);
  // A verdict, a delete and a first sight must not rest on a cache that lags behind.
  const mayUseCache =
    (phase === 'Bound' || phase === 'Captured') && !isPressed(sources, snapshot, phase);
  if (mayUseCache && cached !== undefined) {
    const sighting = sighted(snapshot, cached, false);
    if (sighting.outcome !== 'open' || !cached.spec.cancel) return sighting;
  }
  const key = { kind: kinds.podSnapshotContent, namespace: '', name };
  const content = await read(sources.kube, key, parsePodSnapshotContent, signal);
  return content === undefined ? { state: 'missing', name } : sighted(snapshot, content, true);
}

/** A verdict on a provided content is near. No cancel of the content comes before it, so the look must tell whether Ready came first. */
function isPressed(
  sources: SnapshotSources,
  { metadata, spec }: PodSnapshot,
  phase: SnapshotPhase,
): boolean {
  if (phase !== 'Bound' || spec.source.contentName === undefined) return false;
  return spec.cancel || age(sources, metadata.creationTimestamp) >= spec.deadlineSeconds * 1000;
}

/** The pod to capture, uncached; it is read while there is no content of it yet. */
export async function sightPod(
  sources: Pick<SnapshotSources, 'kube'>,
  snapshot: PodSnapshot,
  phase: SnapshotPhase,
  content: ContentSighting,
  signal: AbortSignal,
): Promise<PodSighting> {
  const { podRef } = snapshot.spec.source;
  if (phase !== 'Unbound' || content.state === 'found' || podRef === undefined) {
    return { state: 'unread' };
  }
  const namespace = snapshot.metadata.namespace ?? '';
  const key = { kind: kinds.pod, namespace, name: podRef.name };
  const raw = await readRaw(sources.kube, key, signal);
  return raw === undefined
    ? { state: 'missing' }
    : { state: 'found', pod: parsedOrRetry(parsePod(raw)), raw };
}

async function sightAgent(
  sources: SnapshotSources,
  content: ContentSighting,
  signal: AbortSignal,
): Promise<AgentSighting | undefined> {
  if (content.state !== 'found' || content.outcome !== 'open') return undefined;
  const { metadata, spec } = content.content;
  const nodeName = metadata.labels[labels.node] ?? spec.source.nodeName;
  const young = age(sources, metadata.creationTimestamp) < heartbeatAfterMilliseconds;
  return nodeName === undefined || young ? undefined : sources.heartbeats.look(nodeName, signal);
}
