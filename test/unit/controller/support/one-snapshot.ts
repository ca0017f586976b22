import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { podObject, snapshotManifest } from './cluster.ts';
import { World } from './world.ts';

const never = new AbortController().signal;

/** A world with a pod `web` on node-a and a snapshot `one` of it. */
export async function worldWithPod(spec: RawObject = {}): Promise<World> {
  const world = new World();
  await world.create(kinds.pod, podObject('web', { node: 'node-a' }));
  await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }, spec));
  return world;
}

/** The agent writes the status of the order of `one`. */
export function orderStatus(world: World, status: RawObject): Promise<void> {
  const name = world.contentOf('one')?.metadata.name ?? '';
  return world.status(kinds.podSnapshotContent, '', name, status);
}

/** The reason of the failure of `one`. */
export function failedReason(world: World): string | undefined {
  const snapshot = world.snapshot('one');
  return findCondition(snapshot?.status.conditions ?? [], 'Failed')?.reason;
}

/** Somebody changes an object. */
export async function change(
  world: World,
  kind: (typeof kinds)[keyof typeof kinds],
  name: string,
  body: RawObject,
): Promise<void> {
  const namespace = kind.namespaced ? 'default' : '';
  await world.kube.patch({ kind, namespace, name }, '', { type: 'merge', body }, never);
}
