import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { annotations, finalizers, labels } from '../../core/api/names.ts';
import { parsePodRestore } from '../../core/api/pod-restore.ts';
import { placeholderProblems } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { downBed } from '../bed/bed.ts';
import { captured } from './controller-objects.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from './controller-world.ts';
import { agentSays, beatAlone, nodeWithAgent, snapshotIn } from './restore-objects.ts';

const bedName = 'pod-restore';
const never = new AbortController().signal;
let world: ControllerWorld;
let controller: ControllerProcess;
let beating: { stop: () => void };

beforeAll(async () => {
  world = await controllerWorld(bedName);
  await nodeWithAgent(world.kube, 'node-a');
  beating = beatAlone(world.kube, 'node-a');
  controller = world.start('controller-a');
  await snapshotIn(world.kube, 'default', 'counter', captured);
  await world.until('the snapshot to be Ready', async () =>
    isTrue((await world.snapshot('counter'))?.status.conditions ?? [], 'Ready') ? true : undefined,
  );
});
afterAll(async () => {
  beating?.stop();
  await controller?.stop('SIGTERM');
  await world?.close();
  await downBed(bedName);
});

const read = (name: string) => world.read(kinds.podRestore, name, parsePodRestore);
const create = (name: string, spec: RawObject = {}) =>
  world.create(kinds.podRestore, {
    metadata: { name, namespace: 'default' },
    spec: { snapshotName: 'counter', podName: name, ...spec },
  });
const pod = (name: string) => world.read(kinds.pod, name, parsePod);

/** Waits for a condition to be True and returns it. */
const holds = (name: string, type: string) =>
  world.until(`${name} to be ${type}`, async () => {
    const conditions = (await read(name))?.status.conditions ?? [];
    return isTrue(conditions, type) ? findCondition(conditions, type) : undefined;
  });
const placed = (name: string) =>
  world.until(`the pod of ${name}`, async () => (await read(name))?.status.podUID);
const gone = (what: string, probe: () => Promise<unknown>) =>
  world.until(what, async () => ((await probe()) === undefined ? true : undefined));

describe('a PodRestore', () => {
  it('becomes a placeholder that the API server takes, is Restored, and the pod outlives it', async () => {
    await create('again', { maxAttempts: 2, overrides: { labels: { app: 'again' } } });
    const uid = await placed('again');
    const made = await pod('again');
    if (made === undefined) throw new Error('no pod');
    expect(made.metadata.uid).toBe(uid);
    expect(placeholderProblems(made, ['main'])).toEqual([]);
    expect(made.metadata).toMatchObject({
      labels: { app: 'again', [labels.restoreUID]: (await read('again'))?.metadata.uid },
      annotations: {
        [annotations.restoreFrom]: 'counter',
        [annotations.restoreMaximumAttempts]: '2',
      },
      ownerReferences: [],
    });
    await agentSays(world.kube, 'default', 'again', {
      reason: 'RestoreSucceeded',
      message: 'restored in 80 ms',
      bytesFetched: 10,
      restoreMilliseconds: 80,
    });
    expect((await holds('again', 'Ready')).reason).toBe('RestoreSucceeded');
    const [titles = '', row = ''] = (await world.bed.kubectl(['get', 'podrestore', 'again']))
      .trim()
      .split('\n');
    expect(titles.split(/\s+/)).toEqual('NAME SNAPSHOT POD NODE PHASE AGE'.split(' '));
    expect(row.split(/\s+/).slice(0, 5)).toEqual([
      ...['again', 'counter', 'again', 'node-a', 'Restored'],
    ]);
    expect((await read('again'))?.status).toMatchObject({
      ...{ attempts: 1, bytesFetched: 10, restoreMilliseconds: 80 },
      candidates: [{ node: 'node-a', fits: true }],
    });
    await world.remove(kinds.podRestore, 'again');
    await gone('the PodRestore to go', () => read('again'));
    expect((await pod('again'))?.metadata.deletionTimestamp).toBeUndefined();
  });

  it('that is deleted before it is restored takes its pod along', async () => {
    await create('given-up');
    await placed('given-up');
    expect((await read('given-up'))?.metadata.finalizers).toEqual([finalizers.restore]);
    await world.remove(kinds.podRestore, 'given-up');
    await gone('the PodRestore to go', () => read('given-up'));
    expect(await pod('given-up')).toBeUndefined();
  });

  it('fails with the agent’s words once its attempts are used up, and leaves no pod', async () => {
    await create('hopeless', { maxAttempts: 1 });
    await placed('hopeless');
    const said = { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 };
    await agentSays(world.kube, 'default', 'hopeless', said);
    expect(await holds('hopeless', 'Failed')).toMatchObject({
      reason: 'RestoreFailed',
      message: 'CRIU says no',
    });
    expect(await pod('hopeless')).toBeUndefined();
  });

  it('removes a pod that a former leader makes after the end', async () => {
    await create('late', { maxAttempts: 1 });
    const uid = await placed('late');
    const key = { kind: kinds.pod, namespace: 'default', name: 'late' };
    const { metadata, spec } = await world.kube.get(key, never);
    const said = { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 };
    await agentSays(world.kube, 'default', 'late', said);
    await holds('late', 'Failed');
    expect(await pod('late')).toBeUndefined();
    const { labels: marks, annotations: notes } = metadata as RawObject;
    await world.create(kinds.pod, {
      metadata: { name: 'late', namespace: 'default', labels: marks, annotations: notes },
      spec: spec as RawObject,
    });
    await gone('the late pod to go', () => pod('late'));
    expect((await read('late'))?.status).toMatchObject({ phase: 'Failed', podUID: uid });
  });

  it('makes the pod anew for another attempt where it has ended, and counts on', async () => {
    await create('once-more', { maxAttempts: 2 });
    const first = await placed('once-more');
    const said = { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 };
    await agentSays(world.kube, 'default', 'once-more', said);
    await world.status(kinds.pod, 'once-more', { phase: 'Failed' });
    await world.until('another pod', async () => {
      const uid = (await read('once-more'))?.status.podUID;
      return uid === undefined || uid === first ? undefined : uid;
    });
    await agentSays(world.kube, 'default', 'once-more', { reason: 'RestoreSucceeded' });
    await holds('once-more', 'Restored');
    expect((await read('once-more'))?.status.attempts).toBe(2);
  });

  it('starts cold where that is asked for: a fresh pod of the same name, which says so', async () => {
    await create('cold', { maxAttempts: 1, onFailure: 'ColdStart' });
    const placeholder = await placed('cold');
    const said = { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 };
    await agentSays(world.kube, 'default', 'cold', said);
    expect((await holds('cold', 'Ready')).reason).toBe('StartedCold');
    const fresh = await pod('cold');
    expect(fresh?.metadata.uid).not.toBe(placeholder);
    expect((await read('cold'))?.status).toMatchObject({
      phase: 'StartedCold',
      podUID: fresh?.metadata.uid,
    });
    expect(fresh?.metadata.annotations[annotations.startedCold]).toBe(
      'RestoreFailed: CRIU says no',
    );
    expect(fresh?.metadata.annotations[annotations.restoreFrom]).toBeUndefined();
    const events = await world.until('the events', async () => {
      const text = await world.bed.kubectl(['get', 'events', '-o', 'jsonpath={.items[*].reason}']);
      return text.includes('StartedCold') ? text : undefined;
    });
    expect(events.split(' ').filter((reason) => reason === 'StartedCold')).toHaveLength(2);
  });

  it('waits for a node with the reasons of each, and takes one that changes', async () => {
    await create('far', { nodeSelector: { zone: 'far' } });
    const waiting = await world.until('it to wait for a node', async () => {
      const { conditions = [] } = (await read('far'))?.status ?? {};
      const said = findCondition(conditions, 'Progressing');
      return said?.reason === 'WaitingForNode' ? said : undefined;
    });
    expect(waiting.message).toContain('its label zone is absent, asked for is far');
    expect((await read('far'))?.status.phase).toBe('Scheduling');
    await world.bed.kubectl(['label', 'node', 'node-a', 'zone=far']);
    await placed('far');
  });

  it('fails in words where the API server refuses the pod, or another has its name', async () => {
    const annotated = { annotations: { 'no key': 'at all' } };
    await create('refused', { overrides: annotated });
    expect((await holds('refused', 'Failed')).reason).toBe('PodRejected');
    await create('twin', { podName: 'cold' });
    expect((await holds('twin', 'Failed')).reason).toBe('PodNameConflict');
  });

  it('keeps its spec, its pins and its end', async () => {
    const key = { kind: kinds.podRestore, namespace: 'default', name: 'cold' };
    const patch = (part: '' | 'status', body: RawObject) =>
      world.kube.patch(key, part, { type: 'merge', body }, never);
    await expect(patch('', { spec: { maxAttempts: 4 } })).rejects.toThrow('spec is immutable');
    await expect(patch('', { spec: { onFailure: 'Fail' } })).rejects.toThrow('spec is immutable');
    await expect(patch('status', { status: { podUID: 'another' } })).rejects.toThrow('podUID');
    await expect(patch('status', { status: { snapshotUID: 'x' } })).rejects.toThrow('snapshotUID');
    await expect(patch('status', { status: { phase: 'Failed' } })).rejects.toThrow('are final');
  });

  it('brings no error into the log', () => {
    expect(controller.log()).not.toContain('"level":"error"');
  });
});
