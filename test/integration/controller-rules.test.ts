import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { downBed } from '../bed/bed.ts';
import {
  boundContent,
  captured,
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

const bedName = 'controller-rules';
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

const snapshotJobOf = (name: string): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: {
    podTemplate: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
    podSnapshotTemplate: {},
  },
});
const contentSays = (name: string, status: RawObject): Promise<void> =>
  world.status(kinds.podSnapshotContent, name, status);
/** What Progressing says while it is True. */
const progressing = (conditions: Parameters<typeof findCondition>[0] | undefined) => {
  const found = findCondition(conditions ?? [], 'Progressing');
  return found?.status === 'True' ? found : undefined;
};

describe('kubectl wait --for=condition=Ready', () => {
  const waitFor = (object: string): Promise<string> =>
    world.bed.kubectl(['wait', '--for=condition=Ready', object, '--timeout=60s']);

  it('ends on every kind when the capture does', async () => {
    await world.create(kinds.dynamoCheckpoint, checkpointOf('waited'));
    await world.create(kinds.snapshotJob, snapshotJobOf('once'));
    await world.until(
      'the Job of once',
      async () => (await world.snapshotJob('once'))?.status.sourceJobUID,
    );
    await podOfJob(world, await jobOf(world, 'waited'));
    await podOfJob(world, 'once');
    const orders = await Promise.all(['waited', 'once'].map((name) => boundContent(world, name)));
    const [first = '', second = ''] = orders.map(({ metadata }) => metadata.name);
    const objects = [
      ...['dckpt/waited', 'podsnap/waited', `podsnapcontent/${first}`],
      ...['snapjob/once', 'podsnap/once', `podsnapcontent/${second}`],
    ];
    const waiting = objects.map(waitFor);
    for (const order of [first, second]) await contentSays(order, captured);
    for (const said of await Promise.all(waiting)) expect(said).toContain('condition met');
  });

  it('of what failed is answered by the other side: Failed is True and says why', async () => {
    await world.create(kinds.podSnapshot, snapshotOf('hopeless', { name: 'nobody' }));
    const words = ['wait', '--for=condition=Failed', 'podsnap/hopeless', '--timeout=60s'];
    expect(await world.bed.kubectl(words)).toContain('condition met');
  });
});

describe('what is waited for', () => {
  it('is said of a snapshot: the node of its pod, and then the agent', async () => {
    await world.create(kinds.pod, {
      metadata: { name: 'unplaced', namespace: 'default' },
      spec: { schedulerName: 'nobody', containers: [{ name: 'main', image: 'sample' }] },
    });
    await world.create(kinds.podSnapshot, snapshotOf('early', { name: 'unplaced' }));
    const scheduling = await world.until('it to be said', async () =>
      progressing((await world.snapshot('early'))?.status.conditions),
    );
    expect(scheduling.reason).toBe('WaitingForSchedule');
    const target = { apiVersion: 'v1', kind: 'Node', name: 'node-a' };
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'unplaced' }, target };
    const path = '/api/v1/namespaces/default/pods/unplaced/binding';
    await world.bed.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(binding));
    await boundContent(world, 'early');
    expect(progressing((await world.snapshot('early'))?.status.conditions)?.reason).toBe(
      'WaitingForAgent',
    );
  });

  it('is a quota for the Jobs of checkpoint and SnapshotJob, which go on when it is raised', async () => {
    const quota = ['quota', 'no-more-jobs'];
    await world.bed.kubectl(['create', ...quota, '--hard=count/jobs.batch=0']);
    // Nobody counts for a quota here: its status is written by hand, as the controller manager would.
    const status = {
      status: { hard: { 'count/jobs.batch': '0' }, used: { 'count/jobs.batch': '0' } },
    };
    const patch = ['patch', ...quota, '--subresource=status', '--type=merge'];
    await world.bed.kubectl([...patch, '-p', JSON.stringify(status)]);
    await world.create(kinds.dynamoCheckpoint, checkpointOf('poor'));
    await world.create(kinds.snapshotJob, snapshotJobOf('poor'));
    for (const read of [() => world.checkpoint('poor'), () => world.snapshotJob('poor')]) {
      const waiting = await world.until('the quota to be named', async () =>
        progressing((await read())?.status.conditions),
      );
      expect(waiting.reason).toBe('WaitingForQuota');
      expect(waiting.message).toContain('no-more-jobs');
    }
    await world.bed.kubectl(['delete', ...quota]);
    await jobOf(world, 'poor');
    await world.until(
      'the Job',
      async () => (await world.snapshotJob('poor'))?.status.sourceJobUID,
    );
  });
});

describe('what was captured and is lost', () => {
  it('fails a snapshot with ContentLost when its content is deleted out of band', async () => {
    await world.pod('web');
    await world.create(kinds.podSnapshot, snapshotOf('robbed', { name: 'web' }));
    const { name } = (await boundContent(world, 'robbed')).metadata;
    const key = { kind: kinds.podSnapshotContent, namespace: '', name };
    const signal = AbortSignal.timeout(10_000);
    const body = { metadata: { finalizers: [] } };
    await world.kube.patch(key, '', { type: 'merge', body }, signal);
    await world.remove(kinds.podSnapshotContent, name);
    expect((await snapshotFailure(world, 'robbed')).reason).toBe('ContentLost');
  });

  it('makes a checkpoint Ready no more, with the reason that the agent gave', async () => {
    await world.create(kinds.dynamoCheckpoint, checkpointOf('once-ready'));
    await podOfJob(world, await jobOf(world, 'once-ready'));
    const { name } = (await boundContent(world, 'once-ready')).metadata;
    await contentSays(name, captured);
    const phase = (wanted: string) =>
      world.until(`once-ready to be ${wanted}`, async () => {
        const status = (await world.checkpoint('once-ready'))?.status;
        return status?.phase === wanted ? status : undefined;
      });
    await phase('Ready');
    const said = 'The store has lost a blob.';
    await contentSays(name, {
      conditions: [
        condition('Ready', 'False', 'ArtifactLost', said),
        condition('Failed', 'True', 'ArtifactLost', said),
      ],
    });
    const { conditions } = await phase('Failed');
    expect(findCondition(conditions, 'Ready')).toMatchObject({ reason: 'ArtifactLost' });
    expect(isTrue((await world.snapshot('once-ready'))?.status.conditions ?? [], 'Ready')).toBe(
      false,
    );
  });
});

it('the controller logged no error in all this, and was refused nothing', async () => {
  expect(controller.log()).not.toContain('"level":"error"');
  expect(controller.log()).not.toContain('is forbidden: User');
});
