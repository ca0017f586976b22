import { expect } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Bed } from '../bed/bed.ts';
import { logsOf, readContent, waitForEnd } from './cluster.ts';
import { endRun, type PlaceholderSpec, type RunAgain, runAgain } from './run-again.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

/*
 * Workloads that say of themselves, again and again, whether all they hold still works: `OK NUMBER token=TOKEN ...`, or `BAD WHY`. The token is drawn at
 * start, so a copy that goes on with token and number is the process that was captured.
 */

/** The image of test/fixtures/workloads. */
export const testWorkloads = 'cryopod.dev/test-workloads:dev';

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

/** Deletes the source of a snapshot and starts what was captured on the other node, from the artifact alone. */
export async function startedAgain(
  place: Place,
  snapshot: PodSnapshot,
  source: { readonly image: string; readonly emptyDirAt?: string },
): Promise<RunAgain> {
  const { bed, namespace, target } = place;
  const pod = snapshot.metadata.name;
  await bed.kubectl(['delete', 'pod', pod, '-n', namespace, '--wait=false']);
  const content = await readContent(bed, snapshot.metadata.uid);
  const run: RunAgain = {
    ...{ bed, namespace, node: target, podName: `${pod}-again` },
    spec: placeholderOf(source),
    artifact: { namespace, contentUID: content?.metadata.uid ?? '' },
  };
  await runAgain(run);
  return run;
}

const placeholderOf = (source: {
  readonly image: string;
  readonly emptyDirAt?: string;
}): PlaceholderSpec => {
  const control = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
  const own =
    source.emptyDirAt === undefined ? [] : [{ name: 'own', mountPath: source.emptyDirAt }];
  return {
    volumes: [
      { name: 'snapshot-control', emptyDir: {} },
      ...own.map(({ name }) => ({ name, emptyDir: {} })),
    ],
    containers: [{ name: 'main', image: source.image, volumeMounts: [control, ...own] }],
  };
};

/**
 * The whole proof for one workload: it runs, is captured, goes on, is deleted, and runs again on the other node where it goes on once more, with
 * its token and everything it holds.
 */
export async function expectToRunAgain(
  place: Place,
  options: Omit<Parameters<typeof sourcePod>[0], 'namespace' | 'nodeName'>,
): Promise<void> {
  const { bed, namespace, source } = place;
  const { name } = options;
  await bed.apply(sourcePod({ ...options, namespace, nodeName: source }));
  const before = await waitForWord(place, name, 1);
  const snapshot = await captured(place, name);
  const since = saidIn(await logsOf(bed, namespace, name)).at(-1)?.count ?? 0;
  expect((await waitForWord(place, name, since)).token).toBe(before.token);
  const run = await startedAgain(place, snapshot, options);
  const first = await waitForWord(place, run.podName, 0);
  expect(first.token).toBe(before.token);
  expect(first.count).toBeGreaterThanOrEqual(before.count);
  const later = await waitForWord(place, run.podName, first.count + 1);
  expect(later.token).toBe(before.token);
  await endRun(run);
}
