import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { isTrue } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from '../bed/bed.ts';
import { logsOf, waitForEnd } from './cluster.ts';
import { placeholderOf, waitForRestored } from './placeholder.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

/*
 * Workloads that say of themselves, again and again, whether all they hold still works: `OK NUMBER token=TOKEN ...`, or `BAD WHY`. The token is drawn at
 * start, so a copy that goes on with token and number is the process that was captured.
 */

/** The image of test/fixtures/workloads. */
export const testWorkloads = 'cryopod.dev/test-workloads:dev';

/** A shell that says OK for ever, once `prepare` has run. */
export const sayingOK = (prepare: string): readonly string[] => [
  'sh',
  '-c',
  `${prepare}\ntoken=$(tr -d - < /proc/sys/kernel/random/uuid); i=0; while :; do i=$((i+1)); echo "OK $i token=$token"; sleep 0.2; done`,
];

export type Said = { readonly count: number; readonly token: string };

/** What a log says in order; throws with the first thing that is not as it must be. */
export function saidIn(log: string): readonly Said[] {
  const bad = /^BAD .*$/m.exec(log);
  if (bad !== null) throw new Error(bad[0]);
  return [...log.matchAll(/^OK (\d+) token=([0-9a-f]+)/gm)].map((match) => ({
    count: Number(match[1]),
    token: String(match[2]),
  }));
}

/** Where workloads are captured and where they run again. */
export type Place = {
  readonly bed: Bed;
  readonly namespace: string;
  readonly source: string;
  readonly target: string;
};

const startLimitMs = 120_000;
const captureLimitMs = 180_000;

/** Waits for the pod to have said more than `after` and returns the last of it. A BAD line ends the wait at once. */
export function waitForWord(place: Place, pod: string, after: number): Promise<Said> {
  let broken: unknown;
  return place.bed
    .waitFor(
      `${pod} to say OK`,
      async () => {
        const log = await logsOf(place.bed, place.namespace, pod).catch(() => '');
        try {
          const last = saidIn(log).at(-1);
          return last !== undefined && last.count > after ? last : undefined;
        } catch (error) {
          broken = error;
          return { count: -1, token: '' };
        }
      },
      startLimitMs,
    )
    .then((said) => {
      if (broken !== undefined) throw broken;
      return said;
    });
}

/** Captures a pod and expects Ready. */
export async function captured(place: Place, pod: string): Promise<PodSnapshot> {
  const { bed, namespace } = place;
  await bed.apply(snapshotOf({ name: pod, namespace, pod }));
  const ended = await waitForEnd(bed, namespace, pod, captureLimitMs);
  expect(isTrue(ended.status.conditions, 'Ready'), JSON.stringify(ended.status)).toBe(true);
  return ended;
}

/** Deletes the source of a snapshot and has a PodRestore restore it on the other node; resolves to the new pod's name. */
async function restoredByObject(place: Place, snapshotName: string): Promise<string> {
  const { bed, namespace, target } = place;
  await endPod(place, snapshotName);
  const name = `${snapshotName}-on-${target}`;
  const nodeSelector = { 'kubernetes.io/hostname': target };
  await bed.apply(
    stringify({
      apiVersion: 'cryopod.dev/v1alpha1',
      kind: 'PodRestore',
      metadata: { name, namespace },
      spec: { snapshotName, podName: name, nodeSelector },
    }),
  );
  const appears = ['wait', `pod/${name}`, '-n', namespace, '--for=create', '--timeout=60s'];
  await bed.kubectl(appears);
  await waitForRestored(bed, namespace, name);
  return name;
}

/** Deletes the source of a snapshot and has it restored into a placeholder on the other node, or on the one that is named; resolves to the new pod's name. */
export async function restored(
  place: Place,
  snapshot: string,
  source: string,
  nodeName: string = place.target,
): Promise<string> {
  const { bed, namespace } = place;
  const { metadata } = parse(source);
  const gone = ['--ignore-not-found', '--wait=false'];
  await bed.kubectl(['delete', 'pod', metadata.name, '-n', namespace, ...gone]);
  const name = `${snapshot}-on-${nodeName}`;
  await bed.apply(placeholderOf(source, { name, snapshot, nodeName }));
  await waitForRestored(bed, namespace, name);
  return name;
}

/** Removes a pod without waiting for the end. */
export const endPod = ({ bed, namespace }: Place, pod: string): Promise<string> =>
  bed.kubectl(['delete', 'pod', pod, '-n', namespace, '--ignore-not-found', '--wait=false']);

/**
 * Restores a snapshot twice, one after the other: on the other node by a PodRestore, and on its own into a pod with the annotation. `check` asks
 * each of the two for what it holds.
 */
export async function restoredBothWays(
  place: Place,
  snapshot: string,
  source: string,
  check: (pod: string) => Promise<void>,
): Promise<void> {
  const byObject = await restoredByObject(place, snapshot);
  await check(byObject);
  await endPod(place, byObject);
  const byAnnotation = await restored(place, snapshot, source, place.source);
  await check(byAnnotation);
  await endPod(place, byAnnotation);
}

/** The whole proof for one workload: it runs, is captured, goes on, is deleted, and is restored both ways, where it goes on with its token and everything it holds. */
export async function expectToRunAgain(
  place: Place,
  options: Omit<Parameters<typeof sourcePod>[0], 'namespace' | 'nodeName'>,
): Promise<void> {
  const { bed, namespace, source } = place;
  const { name } = options;
  const manifest = sourcePod({ ...options, namespace, nodeName: source });
  await bed.apply(manifest);
  const before = await waitForWord(place, name, 1);
  await captured(place, name);
  const since = saidIn(await logsOf(bed, namespace, name)).at(-1)?.count ?? 0;
  expect((await waitForWord(place, name, since)).token).toBe(before.token);
  await restoredBothWays(place, name, manifest, async (pod) => {
    const first = await waitForWord(place, pod, 0);
    expect(first.token).toBe(before.token);
    expect(first.count).toBeGreaterThanOrEqual(before.count);
    const later = await waitForWord(place, pod, first.count + 1);
    expect(later.token).toBe(before.token);
  });
}
