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
