import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { parseSnapshotJob, type SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { Bed } from '../bed/bed.ts';
import { attachSharedBed, createNamespace, deleteNamespace, readSnapshot } from './cluster.ts';

const manifest = (options: {
  readonly namespace: string;
  readonly name: string;
  readonly activeDeadlineSeconds: number;
  readonly command?: readonly string[];
}): string =>
  stringify({
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'SnapshotJob',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      activeDeadlineSeconds: options.activeDeadlineSeconds,
      podSnapshotTemplate: { targetContainers: ['main'] },
      podTemplate: {
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'cryopod.dev/sample-counter:dev',
              imagePullPolicy: 'Never',
              ...(options.command === undefined ? {} : { command: options.command }),
              env: [{ name: 'MEMORY_MEBIBYTES', value: '32' }],
            },
          ],
        },
      },
    },
  });

describe('a SnapshotJob of the counter', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'snapshot-job');
  });
  afterAll(async () => {
    await bed.kubectl(['delete', 'podsnapshots', '--all', '-n', namespace, '--wait=false']);
    await deleteNamespace(bed, namespace);
  });

  async function ended(name: string, type: string): Promise<SnapshotJob> {
    return bed.waitFor(
      `${name} to be ${type}`,
      async () => {
        const words = ['get', 'snapjob', name, '-n', namespace, '-o', 'json'];
        const parsed = parseSnapshotJob(JSON.parse(await bed.kubectl(words)));
        if (!parsed.ok) throw new Error(parsed.message);
        const { conditions } = parsed.value.status;
        const other = type === 'Completed' ? 'Failed' : 'Completed';
        if (isTrue(conditions, other)) throw new Error(JSON.stringify(conditions));
        return isTrue(conditions, type) ? parsed.value : undefined;
      },
      90_000,
    );
  }

  it('is Completed, its Job goes, and its snapshot stays when it is deleted', async () => {
    await bed.apply(manifest({ namespace, name: 'once', activeDeadlineSeconds: 120 }));
    const { metadata, status } = await ended('once', 'Completed');
    const snapshot = await readSnapshot(bed, namespace, 'once');
    expect(snapshot?.metadata.uid).toBe(status.podSnapshotUID);
    expect(snapshot?.metadata.labels['nvidia.com/snapshot-job-uid']).toBe(metadata.uid);
    expect(snapshot?.status).toMatchObject({ stage: 'Captured', sourceState: 'Running' });
    expect(snapshot?.status.artifact?.sizeBytes).toBeGreaterThan(32 * 2 ** 20);
    expect(status.startedAt).toBeDefined();
    await bed.waitFor(
      'the Job and its pod to be gone',
      async () => {
        const rest = await bed.kubectl(['get', 'jobs,pods', '-n', namespace, '-o', 'name']);
        return rest.trim() === '' ? true : undefined;
      },
      60_000,
    );
    await bed.kubectl(['delete', 'snapjob', 'once', '-n', namespace]);
    const left = await readSnapshot(bed, namespace, 'once');
    expect(left?.metadata.deletionTimestamp).toBeUndefined();
    expect(isTrue(left?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it.each([
    ['DeadlineExceeded', 'never-ready', ['/bin/sleep', '300'], 8],
    ['SourceCompletedWithoutCapture', 'short-lived', ['/bin/sleep', '1'], 120],
  ])('fails with %s: %s', async (reason, name, command, activeDeadlineSeconds) => {
    await bed.apply(manifest({ namespace, name, command, activeDeadlineSeconds }));
    const { status } = await ended(name, 'Failed');
    expect(findCondition(status.conditions, 'Failed')?.reason).toBe(reason);
    // The Job is kept for its log; the snapshot has ended too.
    const jobs = await bed.kubectl(['get', 'job', name, '-n', namespace, '-o', 'name']);
    expect(jobs.trim()).toBe(`job.batch/${name}`);
    const snapshot = await readSnapshot(bed, namespace, name);
    expect(isTrue(snapshot?.status.conditions ?? [], 'Failed')).toBe(true);
  });
});
