import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { followCourses } from '../../../../controller/metrics/course.ts';
import { gaugeObjects } from '../../../../controller/metrics/object-gauges.ts';
import { objectMetrics } from '../../../../controller/metrics/object-metrics.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { apiVersion } from '../../../../core/api/names.ts';
import { World } from '../support/world.ts';

const never = new AbortController().signal;
const { podSnapshot } = kinds;
const keyOf = (name: string) => ({ kind: podSnapshot, namespace: 'default', name });
const snapshot = (name: string) => ({
  apiVersion,
  kind: 'PodSnapshot',
  metadata: { name, namespace: 'default' },
  spec: { source: { podRef: { name: 'web', containers: ['main'] } } },
});

/** A line of the registry's text, by its beginning; undefined when there is none. */
const figure = async (registry: Registry, series: string): Promise<number | undefined> => {
  const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

const condition = (type: string, status: string, reason: string) => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
});

describe('gauges of objects', () => {
  it('count them by phase and by what they wait for, with a 0 for what none is at', async () => {
    const world = new World();
    const registry = new Registry();
    gaugeObjects(registry, world);
    for (const name of ['new', 'waiting', 'done']) await world.create(podSnapshot, snapshot(name));
    await world.status(podSnapshot, 'default', 'waiting', {
      stage: 'Waiting',
      conditions: [condition('Progressing', 'True', 'WaitingForPodReady')],
    });
    await world.status(podSnapshot, 'default', 'done', {
      stage: 'Captured',
      conditions: [condition('Progressing', 'False', 'Captured')],
    });
    const at = (phase: string) =>
      figure(registry, `cryopod_objects{kind="PodSnapshot",phase="${phase}"}`);
    expect(await at('Pending')).toBe(1);
    expect(await at('Waiting')).toBe(1);
    expect(await at('Captured')).toBe(1);
    expect(await at('Failed')).toBe(0);
    const waiting = (reason: string) =>
      figure(registry, `cryopod_objects_progressing{kind="PodSnapshot",reason="${reason}"}`);
    expect(await waiting('WaitingForPodReady')).toBe(1);
    expect(await waiting('WaitingForAgent')).toBe(0);
    await world.remove(podSnapshot, 'default', 'waiting');
    expect(await at('Waiting')).toBe(0);
  });
});

describe('metrics of objects on their way', () => {
  it('show bound, Ready and writes of a snapshot, and every write by its outcome', async () => {
    const world = new World();
    const registry = new Registry();
    const objects = objectMetrics(registry);
    const { clock, kube } = world;
    const courses = followCourses({ kube, clock, caches: world, objects });
    const write = async (status: object): Promise<void> => {
      const patch = { type: 'merge', body: { status } } as const;
      await courses.kube.patch(keyOf('one'), 'status', patch, never);
      courses.changed.snapshot('default/one');
    };
    await courses.kube.create(podSnapshot, snapshot('one'), { dryRun: false }, never);
    courses.changed.snapshot('default/one');
    await clock.advance(200);
    await write({ boundSnapshotContentName: 'content' });
    await clock.advance(4_800);
    await write({ conditions: [condition('Ready', 'True', 'Captured')] });
    await expect(courses.kube.delete(keyOf('one'), { uid: 'another' }, never)).rejects.toThrow();
    const read = (series: string) => figure(registry, series);
    expect(await read('cryopod_bound_seconds_sum')).toBe(0.2);
    expect(await read('cryopod_ready_seconds_sum{kind="PodSnapshot"}')).toBe(5);
    expect(await read('cryopod_object_writes_sum{kind="PodSnapshot"}')).toBe(3);
    const counted = (operation: string, outcome: string) =>
      read(
        `cryopod_writes_total{kind="PodSnapshot",operation="${operation}",outcome="${outcome}"}`,
      );
    expect(await counted('create', 'ok')).toBe(1);
    expect(await counted('patch-status', 'ok')).toBe(2);
    expect(await counted('delete', 'failed')).toBe(1);
  });

  it('do not count a dry run', async () => {
    const world = new World();
    const registry = new Registry();
    const { clock, kube } = world;
    const objects = objectMetrics(registry);
    const courses = followCourses({ kube, clock, caches: world, objects });
    await courses.kube.create(podSnapshot, snapshot('one'), { dryRun: true }, never);
    expect(await registry.metrics()).not.toContain('cryopod_writes_total{');
  });
});
