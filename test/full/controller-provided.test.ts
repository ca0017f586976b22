import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import {
  agentLeaseName,
  captureLeaseName,
  finalizers,
  heartbeatMarks,
  labels,
  systemNamespace,
} from '../../core/api/names.ts';
import { systemClock } from '../../core/clock.ts';
import { keepHeartbeat } from '../../runtime/heartbeat.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { captureLeaseTiming } from '../../runtime/lease-attempt.ts';
import { silentLog } from '../../runtime/log.ts';
import { downBed } from '../bed/bed.ts';
import {
  boundContent,
  captured,
  condition,
  snapshotFailure,
  snapshotOf,
} from '../integration/controller-objects.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from '../integration/controller-world.ts';

const bedName = 'controller-provided';
const never = new AbortController().signal;
const digest = `sha256:${'c'.repeat(64)}`;
let world: ControllerWorld;
let controller: ControllerProcess;
const stop = new AbortController();
const agents: Promise<void>[] = [];

/** The heartbeat of an agent, as an agent keeps it. */
function startHeartbeat(nodeName: string, sharedID: string): void {
  const deps = { kube: world.kube, clock: systemClock, random: Math.random, log: silentLog };
  const request = {
    namespace: systemNamespace,
    name: agentLeaseName(nodeName),
    holder: `agent-of-${nodeName}`,
    timing: captureLeaseTiming,
    ownerReference: undefined,
    marks: heartbeatMarks({ name: 'dir', sharedID }),
  };
  agents.push(keepHeartbeat(deps, request, stop.signal));
}

beforeAll(async () => {
  world = await controllerWorld(bedName);
  startHeartbeat('node-s', 'shared-1');
  startHeartbeat('node-a', '');
  controller = world.start('controller-a');
});
afterAll(async () => {
  stop.abort(new Error('the test is over'));
  await Promise.all(agents);
  await controller.stop('SIGTERM');
  await world.close();
  await downBed(bedName);
});

const contentOf = (name: string, snapshot: string, spec: RawObject = {}): RawObject => ({
  metadata: { name },
  spec: {
    snapshotRef: { namespace: 'default', name: snapshot },
    source: { artifact: { store: 'dir', digest } },
    ...spec,
  },
});
const snapshotNaming = (name: string, contentName: string): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: { source: { contentName } },
});
const contentSays = (name: string, status: RawObject): Promise<void> =>
  world.status(kinds.podSnapshotContent, name, status);
const gone = (what: string, probe: () => Promise<unknown>): Promise<true> =>
  world.until(`${what} to go`, async () => ((await probe()) === undefined ? true : undefined));
const ready = (name: string): Promise<true> =>
  world.until(`${name} to be Ready`, async () =>
    isTrue((await world.snapshot(name))?.status.conditions ?? [], 'Ready') ? true : undefined,
  );
const patchContent = (name: string, body: RawObject): Promise<RawObject> =>
  world.kube.patch(
    { kind: kinds.podSnapshotContent, namespace: '', name },
    '',
    { type: 'merge', body },
    never,
  );
/** Adds conditions to those that the content has. */
async function alsoSays(name: string, ...more: readonly RawObject[]): Promise<void> {
  const conditions = (await world.content(name))?.status.conditions ?? [];
  await contentSays(name, { conditions: [...conditions, ...more] });
}
const bytesAreGone = (name: string): Promise<void> =>
  alsoSays(name, condition('ArtifactDeleted', 'True', 'ArtifactDeleted', ''));

describe('a content that an administrator provided', () => {
  it('is given to an agent that serves its store, bound both ways by UID, and Ready when the agent says so', async () => {
    await world.create(kinds.podSnapshotContent, contentOf('imported', 'first'));
    await world.create(kinds.podSnapshot, snapshotNaming('first', 'imported'));
    const content = await boundContent(world, 'first');
    expect(content.metadata.name).toBe('imported');
    const snapshot = await world.snapshot('first');
    expect(content.spec.snapshotRef.uid).toBe(snapshot?.metadata.uid);
    const routed = await world.until('it to be routed', async () => {
      const now = await world.content('imported');
      return now?.metadata.labels[labels.node] === undefined ? undefined : now;
    });
    expect(routed.metadata.labels[labels.node]).toBe('node-s');
    expect(routed.metadata.finalizers).toEqual([finalizers.content]);
    expect(isTrue(snapshot?.status.conditions ?? [], 'Ready')).toBe(false);
    await contentSays('imported', captured);
    await ready('first');
    expect((await world.snapshot('first'))?.status.artifact?.storedBytes).toBe(9);
  });

  it('goes with its bytes when its snapshot is deleted', async () => {
    await world.remove(kinds.podSnapshot, 'first');
    await world.until(
      'the content to be deleted',
      async () => (await world.content('imported'))?.metadata.deletionTimestamp,
    );
    expect(await world.snapshot('first')).toBeDefined();
    await bytesAreGone('imported');
    await gone('both', () => world.snapshot('first'));
    expect(await world.content('imported')).toBeUndefined();
  });

  it('is kept with Retain, released, and bound again by the snapshot that it is pointed to', async () => {
    const spec = { deletionPolicy: 'Retain' };
    await world.create(kinds.podSnapshotContent, contentOf('kept', 'second', spec));
    await world.create(kinds.podSnapshot, snapshotNaming('second', 'kept'));
    await boundContent(world, 'second');
    await contentSays('kept', captured);
    await ready('second');
    const another = { spec: { snapshotRef: { name: 'third', uid: null } } };
    await expect(patchContent('kept', another)).rejects.toThrow('spec.snapshotRef is immutable');
    await world.remove(kinds.podSnapshot, 'second');
    await gone('the snapshot', () => world.snapshot('second'));
    const released = findCondition(
      (await world.content('kept'))?.status.conditions ?? [],
      'Released',
    );
    expect(released).toMatchObject({ status: 'True', reason: 'Released' });
    await patchContent('kept', another);
    await world.create(kinds.podSnapshot, snapshotNaming('third', 'kept'));
    await ready('third');
    const content = await world.content('kept');
    expect(content?.spec.snapshotRef).toMatchObject({
      ...{ name: 'third', uid: (await world.snapshot('third'))?.metadata.uid },
    });
    expect(isTrue(content?.status.conditions ?? [], 'Released')).toBe(false);
    await expect(
      patchContent('kept', { spec: { snapshotRef: { uid: 'another' } } }),
    ).rejects.toThrow('spec.snapshotRef is immutable');
  });

  it('that its agent did not find fails its snapshot with the agent’s words', async () => {
    await world.create(kinds.podSnapshotContent, contentOf('absent', 'fourth'));
    await world.create(kinds.podSnapshot, snapshotNaming('fourth', 'absent'));
    await boundContent(world, 'fourth');
    const message = 'The store dir has no artifact.';
    await contentSays('absent', {
      stage: 'Failed',
      conditions: [
        condition('Ready', 'False', 'ArtifactLost', message),
        condition('Failed', 'True', 'ArtifactLost', message),
      ],
    });
    expect(await snapshotFailure(world, 'fourth')).toMatchObject({
      ...{ reason: 'ArtifactLost', message },
    });
  });

  it('that was captured here and released is bound again as well, Ready at once', async () => {
    await world.pod('web');
    await world.create(
      kinds.podSnapshot,
      snapshotOf('captured', { name: 'web' }, { deletionPolicy: 'Retain' }),
    );
    const { name } = (await boundContent(world, 'captured')).metadata;
    await contentSays(name, captured);
    await ready('captured');
    await world.remove(kinds.podSnapshot, 'captured');
    await gone('the snapshot', () => world.snapshot('captured'));
    await patchContent(name, { spec: { snapshotRef: { name: 'heir', uid: null } } });
    await world.create(kinds.podSnapshot, snapshotNaming('heir', name));
    await ready('heir');
    await patchContent(name, { spec: { deletionPolicy: 'Delete' } });
    await world.remove(kinds.podSnapshot, 'heir');
    await world.until(
      'the content to be deleted',
      async () => (await world.content(name))?.metadata.deletionTimestamp,
    );
    await bytesAreGone(name);
    await gone('the snapshot', () => world.snapshot('heir'));
  });
});

describe('a content whose agent has never been heard', () => {
  it('is let go a minute after its deletion: no agent ever took its Lease, so there are no bytes', async () => {
    await world.create(kinds.pod, {
      metadata: { name: 'lonely', namespace: 'default' },
      spec: { nodeName: 'node-x', containers: [{ name: 'main', image: 'sample' }] },
    });
    for (const name of ['unheard', 'begun']) {
      await world.create(kinds.podSnapshot, snapshotOf(name, { name: 'lonely' }));
    }
    const unheard = (await boundContent(world, 'unheard')).metadata;
    const begun = (await boundContent(world, 'begun')).metadata;
    await world.create(kinds.lease, {
      metadata: { name: captureLeaseName(begun.uid), namespace: systemNamespace },
      spec: { holderIdentity: 'agent-of-node-x' },
    });
    for (const name of ['unheard', 'begun']) await world.remove(kinds.podSnapshot, name);
    await world.until(
      'the content to go',
      async () => ((await world.content(unheard.name)) === undefined ? true : undefined),
      120_000,
    );
    expect(await world.content(begun.name)).toBeDefined();
    const explained = findCondition(
      (await world.snapshot('begun'))?.status.conditions ?? [],
      'Progressing',
    );
    expect(explained).toMatchObject({ status: 'True', reason: 'Deleting' });
    expect(explained?.message).toContain('node-x');
  });
});

describe('the heartbeats', () => {
  it('of agents that are heard cost the controller one watch and not one request for a Lease', async () => {
    const lines = (await readFile(world.bed.auditLogPath, 'utf8')).split('\n');
    const gets = lines
      .filter((line) => line.includes('"userAgent":"cryopod-controller'))
      .map((line) => JSON.parse(line))
      .filter(({ verb, objectRef }) => verb === 'get' && objectRef.resource === 'leases')
      .map(({ objectRef }) => objectRef.name);
    expect(gets).not.toContain(agentLeaseName('node-a'));
    expect(gets).not.toContain(agentLeaseName('node-s'));
    expect(gets).toContain(agentLeaseName('node-x'));
  });

  it('logged no error in all this', () => {
    expect(controller.log()).not.toContain('"level":"error"');
  });
});
