import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { contentName, finalizers, labels } from '../../core/api/names.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { downBed } from '../bed/bed.ts';
import {
  at,
  boundContent,
  captured,
  checkpointFailure,
  checkpointOf,
  condition,
  jobOf,
  podOfJob,
  snapshotFailure,
  snapshotOf,
} from './controller-objects.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from './controller-world.ts';

const bedName = 'controller';
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

describe('a DynamoCheckpoint', () => {
  it('becomes a Job, a snapshot and an order, and is Ready when the order is, within the write budget', async () => {
    await world.create(kinds.dynamoCheckpoint, checkpointOf('happy'));
    const jobName = await jobOf(world, 'happy');
    await podOfJob(world, jobName);
    const content = await boundContent(world, 'happy');
    expect(content.metadata.labels[labels.node]).toBe('node-a');
    expect(content.spec.source.template).toBeDefined();
    await world.status(kinds.podSnapshotContent, content.metadata.name, captured);
    const status = await world.until('happy to be Ready', async () => {
      const now = (await world.checkpoint('happy'))?.status;
      return now?.phase === 'Ready' ? now : undefined;
    });
    expect(status).toMatchObject({
      jobName,
      podSnapshotName: 'happy',
      createdAt: '2026-01-01T00:00:02Z',
    });
    expect((await world.snapshot('happy'))?.status).toMatchObject({
      stage: 'Captured',
      freezeMilliseconds: 90,
    });
    const writes = await world.writesOf('cryopod-controller');
    const ours = writes
      .filter((line) => line.includes('happy') || line.includes(content.metadata.name))
      .filter((line) => !line.startsWith('create events'));
    // From the create of the snapshot to its Ready: create, order, bind, Ready, and the checkpoint's note of the name.
    expect(ours.toSorted()).toEqual(
      [
        'create podsnapshots happy',
        `create podsnapshotcontents ${content.metadata.name}`,
        'patch dynamocheckpoints status happy',
        'patch dynamocheckpoints status happy',
        'patch dynamocheckpoints status happy',
        'patch podsnapshots status happy',
        'patch podsnapshots status happy',
      ].toSorted(),
    );
  });

  it('fails with the message of its Job, and the Job is deleted', async () => {
    await world.create(kinds.dynamoCheckpoint, checkpointOf('broken'));
    const jobName = await jobOf(world, 'broken');
    const said = 'Job has reached the specified backoff limit';
    await world.status(kinds.job, jobName, {
      startTime: at,
      conditions: [
        condition('FailureTarget', 'True', 'BackoffLimitExceeded', said),
        condition('Failed', 'True', 'BackoffLimitExceeded', said),
      ],
    });
    const failure = await checkpointFailure(world, 'broken');
    expect(failure.reason).toBe('JobFailed');
    expect(failure.message).toContain(`BackoffLimitExceeded: ${said}`);
    const jobs = async (): Promise<string> =>
      world.bed.kubectl(['get', 'jobs', jobName, '--ignore-not-found', '-o', 'name']);
    await world.until('the Job to go', async () => ((await jobs()) === '' ? true : undefined));
  });

  it('fails with JobRejected and the server’s words when the template is no valid pod', async () => {
    const invalid = { spec: { containers: [{ name: 'main' }], volumes: [{ name: 'A_B' }] } };
    await world.create(
      kinds.dynamoCheckpoint,
      checkpointOf('rejected', { podTemplateSpec: invalid }),
    );
    const failure = await checkpointFailure(world, 'rejected');
    expect(failure.reason).toBe('JobRejected');
    expect(failure.message).toContain('A_B');
  });

  it('fails with JobConflict when its Job’s name is taken', async () => {
    const identity = { model: 'm', backendFramework: 'vllm' };
    const first = checkpointOf('first');
    await world.create(kinds.dynamoCheckpoint, {
      ...first,
      spec: { ...(first.spec as RawObject), identity },
    });
    const name = await jobOf(world, 'first');
    await world.remove(kinds.dynamoCheckpoint, 'first');
    await world.remove(kinds.job, name);
    const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } };
    await world.create(kinds.job, { metadata: { name, namespace: 'default' }, spec: { template } });
    await world.create(kinds.dynamoCheckpoint, {
      ...checkpointOf('second'),
      spec: { ...(checkpointOf('second').spec as RawObject), identity },
    });
    const failure = await checkpointFailure(world, 'second');
    expect(failure.reason).toBe('JobConflict');
    expect(failure.message).toContain(name);
  });
});

describe('a PodSnapshot', () => {
  it('made by a user gets its finalizer before its order', async () => {
    const uid = await world.pod('web');
    await world.create(kinds.podSnapshot, snapshotOf('plain', { name: 'web' }));
    const content = await boundContent(world, 'plain');
    expect(content.spec.source.podRef?.uid).toBe(uid);
    expect((await world.snapshot('plain'))?.metadata.finalizers).toEqual([finalizers.snapshot]);
    const order = (await world.writesOf('cryopod-controller')).filter(
      (line) => line.endsWith(' plain') || line.endsWith(content.metadata.name),
    );
    expect(order).toEqual([
      'patch podsnapshots plain',
      `create podsnapshotcontents ${content.metadata.name}`,
      'patch podsnapshots status plain',
    ]);
  });

  it('of a pod that does not exist fails with SourcePodNotFound and an event', async () => {
    await world.create(kinds.podSnapshot, snapshotOf('nobody', { name: 'nobody' }));
    expect((await snapshotFailure(world, 'nobody')).reason).toBe('SourcePodNotFound');
    await world.until('the event', async () => {
      const events = await world.bed.kubectl(['get', 'events', '-o', 'json']);
      return events.includes('SourcePodNotFound') ? true : undefined;
    });
  });

  it('pinned to another incarnation of the pod fails with StalePodReference', async () => {
    await world.pod('again');
    await world.create(kinds.podSnapshot, snapshotOf('stale', { name: 'again', uid: 'before' }));
    expect((await snapshotFailure(world, 'stale')).reason).toBe('StalePodReference');
  });

  it('whose content is somebody else’s fails with ContentConflict', async () => {
    await world.create(kinds.podSnapshot, {
      metadata: { name: 'claimed', namespace: 'default' },
      spec: { source: { contentName: 'foreign' } },
    });
    await world.create(kinds.podSnapshotContent, {
      metadata: { name: 'foreign' },
      spec: {
        snapshotRef: { namespace: 'default', name: 'somebody', uid: 'else' },
        source: { artifact: { store: 'dir', digest: `sha256:${'c'.repeat(64)}` } },
      },
    });
    expect((await snapshotFailure(world, 'claimed')).reason).toBe('ContentConflict');
  });

  it('that is deleted takes its content along, once the agent says that the bytes are gone', async () => {
    await world.pod('short');
    await world.create(kinds.podSnapshot, snapshotOf('brief', { name: 'short' }));
    const { name } = (await boundContent(world, 'brief')).metadata;
    await world.status(kinds.podSnapshotContent, name, captured);
    await world.until('brief to be Ready', async () =>
      isTrue((await world.snapshot('brief'))?.status.conditions ?? [], 'Ready') ? true : undefined,
    );
    await world.remove(kinds.podSnapshot, 'brief');
    const dying = await world.until('the content to be deleted', async () => {
      const content = await world.content(name);
      return content?.metadata.deletionTimestamp === undefined ? undefined : content;
    });
    expect(name).toBe(contentName(dying.spec.snapshotRef.uid ?? ''));
    expect(await world.snapshot('brief')).toBeDefined();
    const conditions = [
      ...dying.status.conditions,
      condition('ArtifactDeleted', 'True', 'ArtifactDeleted', ''),
    ];
    await world.status(kinds.podSnapshotContent, name, { conditions });
    await world.until('both to go', async () =>
      (await world.content(name)) === undefined && (await world.snapshot('brief')) === undefined
        ? true
        : undefined,
    );
  });

  it('that is deleted under way cancels its order first', async () => {
    await world.pod('busy');
    await world.create(kinds.podSnapshot, snapshotOf('hasty', { name: 'busy' }));
    const { name } = (await boundContent(world, 'hasty')).metadata;
    await world.remove(kinds.podSnapshot, 'hasty');
    const dying = await world.until('the content to be deleted', async () => {
      const content = await world.content(name);
      return content?.metadata.deletionTimestamp === undefined ? undefined : content;
    });
    expect(dying.spec.cancel).toBe(true);
  });

  it('past its deadline fails with DeadlineExceeded once the agent has stopped', async () => {
    await world.pod('slow');
    await world.create(
      kinds.podSnapshot,
      snapshotOf('late', { name: 'slow' }, { deadlineSeconds: 2 }),
    );
    const { name } = (await boundContent(world, 'late')).metadata;
    await world.until('the order to be cancelled', async () =>
      (await world.content(name))?.spec.cancel === true ? true : undefined,
    );
    await world.status(kinds.podSnapshotContent, name, {
      stage: 'Failed',
      sourceState: 'Running',
      conditions: [
        condition('Ready', 'False', 'Cancelled', 'The source is running.'),
        condition('Failed', 'True', 'Cancelled', 'The source is running.'),
      ],
    });
    const failure = await snapshotFailure(world, 'late');
    expect(failure.reason).toBe('DeadlineExceeded');
    expect(failure.message).toContain('The source is running.');
  });
});

describe('the controller process', () => {
  it('hands over at once on SIGTERM, and the successor carries on', async () => {
    const successor = world.start('controller-b');
    await world.until('the successor to stand by', async () =>
      successor.log().includes('started') ? true : undefined,
    );
    expect(successor.log()).not.toContain('leading');
    expect(await controller.stop('SIGTERM')).toBe(0);
    controller = successor;
    await world.pod('after');
    await world.create(kinds.podSnapshot, snapshotOf('heir', { name: 'after' }));
    await boundContent(world, 'heir');
    expect(successor.log()).toContain('leading');
  });

  it('that is killed leaves everything as it is for the next one', async () => {
    await world.pod('kept');
    await world.create(kinds.podSnapshot, snapshotOf('survivor', { name: 'kept' }));
    const { name } = (await boundContent(world, 'survivor')).metadata;
    await controller.stop('SIGKILL');
    controller = world.start('controller-c');
    await world.status(kinds.podSnapshotContent, name, captured);
    // A lease of a dead holder runs for fifteen seconds from when the next one first saw it.
    await world.until(
      'the survivor to be Ready',
      async () =>
        isTrue((await world.snapshot('survivor'))?.status.conditions ?? [], 'Ready')
          ? true
          : undefined,
      60_000,
    );
  });

  it('logged no error in all this', () => {
    expect(controller.log()).not.toContain('"level":"error"');
  });
});
