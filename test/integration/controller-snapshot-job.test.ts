import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { labels } from '../../core/api/names.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { downBed } from '../bed/bed.ts';
import { at, boundContent, captured, condition, podOfJob } from './controller-objects.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from './controller-world.ts';

const bedName = 'snapshot-job';
const never = new AbortController().signal;
let world: ControllerWorld;
let controller: ControllerProcess;

beforeAll(async () => {
  world = await controllerWorld(bedName);
  controller = world.start('controller-a');
});
afterAll(async () => {
  await controller.stop('SIGTERM');
  await world.close();
  await downBed(bedName);
});

const snapshotJobOf = (name: string, spec: RawObject = {}): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: {
    podTemplate: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
    podSnapshotTemplate: {},
    ...spec,
  },
});

/** Waits for a condition to be True and returns it. */
const holds = (name: string, type: string) =>
  world.until(`${name} to be ${type}`, async () => {
    const conditions = (await world.snapshotJob(name))?.status.conditions ?? [];
    return isTrue(conditions, type) ? findCondition(conditions, type) : undefined;
  });

/** Creates one and waits until the UID of its Job is on record. */
async function started(name: string, spec: RawObject = {}): Promise<void> {
  await world.create(kinds.snapshotJob, snapshotJobOf(name, spec));
  await world.until(`the Job of ${name}`, async () => {
    return (await world.snapshotJob(name))?.status.sourceJobUID;
  });
}

const refused = (name: string, body: RawObject, subresource: '' | 'status' = '') =>
  world.kube.patch(
    { kind: kinds.snapshotJob, namespace: 'default', name },
    subresource,
    { type: 'merge', body },
    never,
  );

describe('a SnapshotJob', () => {
  it('becomes a Job, a snapshot and an order, is Completed with them, and the snapshot outlives it', async () => {
    await started('once');
    await podOfJob(world, 'once');
    const content = await boundContent(world, 'once');
    await world.status(kinds.job, 'once', { startTime: at, active: 1, ready: 1 });
    expect((await holds('once', 'Running')).reason).toBe('PodReady');
    await world.status(kinds.podSnapshotContent, content.metadata.name, captured);
    expect((await holds('once', 'Completed')).reason).toBe('CaptureCompleted');
    const { metadata, status } = (await world.snapshotJob('once')) ?? {};
    const snapshot = await world.snapshot('once');
    expect(snapshot?.metadata.ownerReferences).toEqual([]);
    expect(snapshot?.metadata.labels).toMatchObject({
      [labels.snapshotJob]: 'once',
      [labels.jobUID]: metadata?.uid,
    });
    expect(status).toMatchObject({
      podSnapshotName: 'once',
      podSnapshotUID: snapshot?.metadata.uid,
    });
    const [titles = '', row = ''] = (await world.bed.kubectl(['get', 'snapjob', 'once']))
      .trim()
      .split('\n');
    expect(titles.split(/\s+/)).toEqual(
      'NAME RUNNING CAPTURED COMPLETED PODSNAPSHOT AGE'.split(' '),
    );
    expect(row.split(/\s+/).slice(0, 5)).toEqual(['once', 'False', 'True', 'True', 'once']);
    const job = ['get', 'job', 'once', '--ignore-not-found', '-o', 'name'];
    await world.until('the Job to go', async () =>
      (await world.bed.kubectl(job)) === '' ? true : undefined,
    );
    const writes = await world.writesOf('cryopod-controller');
    // Started, snapshot on record, Running, Completed.
    expect(writes.filter((line) => line === 'patch snapshotjobs status once')).toHaveLength(4);
    await world.remove(kinds.snapshotJob, 'once');
    await world.until('it to go', async () =>
      (await world.snapshotJob('once')) === undefined ? true : undefined,
    );
    expect(isTrue((await world.snapshot('once'))?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it('fails with the name of the snapshot that outlived its predecessor, and runs nothing', async () => {
    await world.create(kinds.snapshotJob, snapshotJobOf('once'));
    expect((await holds('once', 'Failed')).reason).toBe('PodSnapshotNameConflict');
    expect((await world.snapshotJob('once'))?.status.sourceJobUID).toBeUndefined();
  });

  it('fails with InvalidSpec and the server’s words when the template is no valid pod', async () => {
    const containers = [{ name: 'main', image: 'sample', imagePullPolicy: 'Sometimes' }];
    const podTemplate = { spec: { containers } };
    await world.create(kinds.snapshotJob, snapshotJobOf('invalid', { podTemplate }));
    const failed = await holds('invalid', 'Failed');
    expect(failed.reason).toBe('InvalidSpec');
    expect(failed.message).toContain('imagePullPolicy');
  });

  it('fails with the message of its Job, which is kept', async () => {
    await started('broken');
    const said = 'Job has reached the specified backoff limit';
    await world.status(kinds.job, 'broken', {
      startTime: at,
      conditions: [
        condition('FailureTarget', 'True', 'BackoffLimitExceeded', said),
        condition('Failed', 'True', 'BackoffLimitExceeded', said),
      ],
    });
    const failed = await holds('broken', 'Failed');
    expect(failed).toMatchObject({ reason: 'JobFailed' });
    expect(failed.message).toContain(`BackoffLimitExceeded: ${said}`);
    expect(await world.bed.kubectl(['get', 'job', 'broken', '-o', 'name'])).toContain('broken');
  });

  it('fails with JobDeleted when the Job is deleted, and with PodSnapshotDeleted when the snapshot is', async () => {
    await started('jobless');
    await world.bed.kubectl(['delete', 'job', 'jobless', '--cascade=background']);
    expect((await holds('jobless', 'Failed')).reason).toBe('JobDeleted');
    await started('robbed');
    await podOfJob(world, 'robbed');
    await boundContent(world, 'robbed');
    await world.until('the snapshot to be on record', async () => {
      return (await world.snapshotJob('robbed'))?.status.podSnapshotUID;
    });
    await world.remove(kinds.podSnapshot, 'robbed');
    expect((await holds('robbed', 'Failed')).reason).toBe('PodSnapshotDeleted');
  });

  it('keeps its spec, its pins and its end', async () => {
    await started('kept');
    for (const spec of [
      { activeDeadlineSeconds: 5 },
      { readiness: 'PodReady' },
      { podTemplate: { spec: { hostNetwork: true } } },
      { podTemplate: { metadata: { labels: { app: 'another' } } } },
    ]) {
      await expect(refused('kept', { spec })).rejects.toThrow('spec is immutable');
    }
    const pin = { status: { sourceJobUID: 'another' } };
    await expect(refused('kept', pin, 'status')).rejects.toThrow('sourceJobUID must not change');
    const end = { status: { conditions: [] } };
    await expect(refused('jobless', end, 'status')).rejects.toThrow('Failed is final');
  });

  it('is carried on by the next controller when one is killed between any of this', async () => {
    await started('heir');
    await controller.stop('SIGKILL');
    await podOfJob(world, 'heir');
    controller = world.start('controller-b');
    const content = await world.until(
      'the order of the heir',
      async () => {
        const bound = (await world.snapshot('heir'))?.status.boundSnapshotContentName;
        return bound === undefined ? undefined : world.content(bound);
      },
      60_000,
    );
    await world.status(kinds.podSnapshotContent, content.metadata.name, captured);
    expect((await holds('heir', 'Completed')).reason).toBe('CaptureCompleted');
    expect(controller.log()).not.toContain('"level":"error"');
  });
});
