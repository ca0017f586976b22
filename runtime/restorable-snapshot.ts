import { isTrue } from '../core/api/conditions.ts';
import { kinds } from '../core/api/kinds.ts';
import { dnsSubdomain } from '../core/api/metadata.ts';
import { parsePodSnapshot } from '../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../core/api/pod-snapshot-content.ts';
import { Failure } from '../core/failure.ts';
import type { SnapshotView } from '../core/restore/snapshot-view.ts';
import type { Kube } from './kube-port.ts';
import { readRaw } from './read-raw.ts';

/** The snapshot a pod names, with the content that holds its bytes once that is Ready. */
export type FoundSnapshot = { readonly view: SnapshotView; readonly content?: PodSnapshotContent };

const unusable = (message: string): FoundSnapshot => ({ view: { state: 'unusable', message } });

/** What is found of a Ready snapshot by its content. */
export const readySnapshot = (content: PodSnapshotContent): FoundSnapshot => ({
  view: { state: 'ready', containers: content.spec.source.podRef?.containers ?? [] },
  content,
});

/**
 * Reads the snapshot uncached, in the pod's own namespace only, and its content, which must name it back by UID. Absence that the server
 * confirmed is `unusable`; an error is thrown.
 */
export async function findSnapshot(
  kube: Kube,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<FoundSnapshot> {
  const shown = `PodSnapshot ${name}`;
  if (!dnsSubdomain.safeParse(name).success) {
    const message = `${JSON.stringify(name)} is no name of a PodSnapshot; one of namespace ${namespace} is asked for`;
    return unusable(message);
  }
  const raw = await readRaw(kube, { kind: kinds.podSnapshot, namespace, name }, signal);
  if (raw === undefined) return unusable(`${shown} does not exist in namespace ${namespace}`);
  const snapshot = parsePodSnapshot(raw);
  if (!snapshot.ok) throw new Failure('terminal', 'Unreadable', `${shown}: ${snapshot.message}`);
  const { status, metadata } = snapshot.value;
  if (isTrue(status.conditions, 'Failed')) return unusable(`${shown} has failed`);
  if (metadata.deletionTimestamp !== undefined) return unusable(`${shown} is being deleted`);
  const bound = status.boundSnapshotContentName ?? '';
  if (!isTrue(status.conditions, 'Ready') || bound === '') {
    return { view: { state: 'pending', message: `${shown} is not Ready yet` } };
  }
  const key = { kind: kinds.podSnapshotContent, namespace: '', name: bound };
  const rawContent = await readRaw(kube, key, signal);
  if (rawContent === undefined) return unusable(`${shown}: its content ${bound} is gone`);
  const content = parsePodSnapshotContent(rawContent);
  if (!content.ok) throw new Failure('terminal', 'Unreadable', `${bound}: ${content.message}`);
  const { snapshotRef } = content.value.spec;
  if (snapshotRef.namespace !== namespace || snapshotRef.uid !== metadata.uid) {
    return unusable(`${shown}: its content ${bound} belongs to another snapshot`);
  }
  if (content.value.status.artifact?.digest === undefined) {
    return unusable(`${shown}: its content ${bound} names no artifact`);
  }
  return readySnapshot(content.value);
}
