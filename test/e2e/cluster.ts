import { inject } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import type { Parsed } from '../../core/api/metadata.ts';
import { contentName } from '../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { attachBed, type Bed } from '../bed/bed.ts';

/** The cluster that the global set-up made. */
export const attachSharedBed = (): Promise<Bed> => attachBed(inject('bedName'));

/** A namespace of a test's own, removed by the caller with `kubectl delete namespace`. */
export async function createNamespace(bed: Bed, prefix: string): Promise<string> {
  const name = `${prefix}-${Math.random().toString(36).slice(2, 8)}`;
  await bed.kubectl(['create', 'namespace', name]);
  return name;
}

/** Removes the namespace without waiting for the end. */
export async function deleteNamespace(bed: Bed, namespace: string): Promise<void> {
  await bed.kubectl(['delete', 'namespace', namespace, '--wait=false']);
}

async function read<T>(
  bed: Bed,
  arguments_: readonly string[],
  parse: (raw: unknown) => Parsed<T>,
): Promise<T | undefined> {
  const text = await bed.kubectl(['get', ...arguments_, '--ignore-not-found', '-o', 'json']);
  if (text.trim() === '') return undefined;
  const parsed = parse(JSON.parse(text));
  if (!parsed.ok) throw new Error(`kubectl get ${arguments_.join(' ')}: ${parsed.message}`);
  return parsed.value;
}

export const readSnapshot = (
  bed: Bed,
  namespace: string,
  name: string,
): Promise<PodSnapshot | undefined> =>
  read(bed, ['podsnapshot', name, '-n', namespace], parsePodSnapshot);

export const readCheckpoint = (
  bed: Bed,
  namespace: string,
  name: string,
): Promise<DynamoCheckpoint | undefined> =>
  read(bed, ['dynamocheckpoint', name, '-n', namespace], parseDynamoCheckpoint);

export const readContent = (
  bed: Bed,
  snapshotUID: string,
): Promise<PodSnapshotContent | undefined> =>
  read(bed, ['podsnapshotcontent', contentName(snapshotUID)], parsePodSnapshotContent);

/** Waits until the snapshot is Ready or Failed and returns it. */
export function waitForEnd(
  bed: Bed,
  namespace: string,
  name: string,
  deadlineMs: number,
): Promise<PodSnapshot> {
  return bed.waitFor(
    `podsnapshot ${namespace}/${name} to end`,
    async () => {
      const snapshot = await readSnapshot(bed, namespace, name);
      if (snapshot === undefined) return undefined;
      const { conditions } = snapshot.status;
      return isTrue(conditions, 'Ready') || isTrue(conditions, 'Failed') ? snapshot : undefined;
    },
    deadlineMs,
  );
}

/** Waits until a node keeps no dump in staging: Ready and Failed are told before an order is cleared away, so it goes a moment later. */
export function waitForEmptyStaging(bed: Bed, node: string): Promise<true> {
  return bed.waitFor(
    `the staging directory of ${node} to be empty`,
    async () => {
      const find = ['find', '/var/lib/cryopod/staging', '-mindepth', '1'];
      const found = await bed.node(node).exec(find);
      return (found.exitCode === 0 && found.stdout.trim() === '') || undefined;
    },
    30_000,
  );
}

/** Waits until the counter of a pod has printed, and returns what it printed last. */
export function waitForTick(bed: Bed, namespace: string, pod: string): Promise<Tick> {
  return bed.waitFor(
    `the counter ${namespace}/${pod} to count`,
    async () => lastTick(await logsOf(bed, namespace, pod).catch(() => '')),
    300_000,
  );
}

/** Log of a container so far. */
export const logsOf = (bed: Bed, namespace: string, pod: string): Promise<string> =>
  bed.kubectl(['logs', pod, '-n', namespace]);

export type Tick = { readonly count: number; readonly token: string };

const ticks = (log: string): readonly Tick[] =>
  [...log.matchAll(/^tick (\d+) token=([0-9a-f]+)/gm)].map((match) => ({
    count: Number(match[1]),
    token: String(match[2]),
  }));

/** The first `tick N token=T` line of the counter workload in a log. */
export const firstTick = (log: string): Tick | undefined => ticks(log).at(0);

/** The last one. */
export const lastTick = (log: string): Tick | undefined => ticks(log).at(-1);
