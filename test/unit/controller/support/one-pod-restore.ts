import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { annotations, labels } from '../../../../core/api/names.ts';
import { restoredCondition } from '../../../../core/api/restore.ts';
import {
  type RestoreProgress,
  restoreProgressCondition,
  restoreProgressMessage,
} from '../../../../core/api/restore-progress.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, recordAt } from '../../../../runtime/raw-object.ts';
import { agentsAct, beat, podObject, snapshotManifest } from './cluster.ts';
import { World } from './world.ts';

const never = new AbortController().signal;

export const podRestoreManifest = (name: string, spec: RawObject = {}): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: { snapshotName: 'counter', podName: 'again', ...spec },
});

export const nodeObject = (name: string, extra: RawObject = {}): RawObject => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: {},
  status: { nodeInfo: { architecture: 'amd64', kernelVersion: '6.1.0' } },
  ...extra,
});

/** A world with two nodes whose agents beat and share a store, and the captured PodSnapshot `counter` of a pod that is gone. */
export async function worldWithSnapshot(pod: RawObject = {}): Promise<World> {
  const world = new World();
  for (const name of ['node-a', 'node-b']) {
    await world.create(kinds.node, nodeObject(name));
    await beat(world, name, 'shared');
  }
  const source = podObject('source', { node: 'node-a' });
  await world.create(kinds.pod, { ...source, ...pod });
  await world.create(kinds.podSnapshot, snapshotManifest('counter', { name: 'source' }));
  await world.rest();
  await agentsAct(world);
  await world.rest();
  await world.remove(kinds.pod, 'default', 'source');
  await world.rest();
  return world;
}

/** One in which the PodRestore `again` stands, at rest. */
export async function restoring(spec: RawObject = {}, pod: RawObject = {}): Promise<World> {
  const world = await worldWithSnapshot(pod);
  await world.create(kinds.podRestore, podRestoreManifest('again', spec));
  await world.rest();
  return world;
}

export const restorePod = (world: World, name = 'again') =>
  world.kube.peek({ kind: kinds.pod, namespace: 'default', name });
/** Pods that the PodRestore made and that are not being deleted. */
export const livePods = (world: World): readonly RawObject[] =>
  world.kube.all(kinds.pod).filter((pod) => {
    const metadata = recordAt(pod, 'metadata');
    const isMade = recordAt(metadata, 'labels')[labels.restoreUID] !== undefined;
    return isMade && metadata.deletionTimestamp === undefined;
  });
export const isCold = (pod: RawObject | undefined): boolean =>
  recordAt(recordAt(pod ?? {}, 'metadata'), 'annotations')[annotations.startedCold] !== undefined;

const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

/** The scheduler places the pod, and the agent of its node says what it is at. */
export async function agentSays(
  world: World,
  said: { readonly reason: string; readonly message?: string } & Partial<RestoreProgress>,
  name = 'again',
): Promise<void> {
  const { reason, message = 'said the agent', ...figures } = said;
  const key = { kind: kinds.pod, namespace: 'default', name };
  const body = { spec: { nodeName: 'node-b' } };
  await world.kube.patch(key, '', { type: 'merge', body }, never);
  const restored = reason === 'RestoreSucceeded' ? 'True' : 'False';
  const progress = restoreProgressMessage({ attempts: 1, ...figures });
  await world.status(kinds.pod, 'default', name, {
    conditions: [
      condition(restoredCondition, restored, reason, message),
      condition(restoreProgressCondition, 'True', 'Figures', progress),
    ],
  });
}

export const conditionsOf = (world: World, name = 'again') =>
  world.podRestore(name)?.status.conditions ?? [];
/** Its conditions as `status/reason` by type. */
export const inShort = (world: World, name = 'again'): Readonly<Record<string, string>> =>
  Object.fromEntries(
    conditionsOf(world, name).map(({ type, status, reason }) => [type, `${status}/${reason}`]),
  );
export const messageOf = (world: World, type: string, name = 'again'): string =>
  findCondition(conditionsOf(world, name), type)?.message ?? '';
export const uidOf = (object: RawObject | undefined): string => identityOf(object ?? {}).uid;
