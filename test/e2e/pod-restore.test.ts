import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { type PodRestore, parsePodRestore } from '../../core/api/pod-restore.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  logsOf,
  type Tick,
  waitForEnd,
  waitForTick,
} from './cluster.ts';
import { waitForRestored } from './placeholder.ts';
import { snapshotOf, sourcePod } from './workloads.ts';

const manifest = (name: string, namespace: string, spec: object): string =>
  stringify({
    apiVersion: 'cryopod.dev/v1alpha1',
    kind: 'PodRestore',
    metadata: { name, namespace },
    spec: { snapshotName: 'counter', podName: name, ...spec },
  });

describe('a PodRestore of the counter', () => {
  let bed: Bed;
  let namespace: string;
  let before: Tick;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'pod-restore');
    const image = 'cryopod.dev/sample-counter:dev';
    const environment = { MEMORY_MEBIBYTES: '32' };
    await bed.apply(
      sourcePod({ name: 'source', namespace, image, environment, nodeName: 'node-a' }),
    );
    await waitForTick(bed, namespace, 'source');
    await bed.apply(snapshotOf({ name: 'counter', namespace, pod: 'source' }));
    const { status } = await waitForEnd(bed, namespace, 'counter', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    before = await waitForTick(bed, namespace, 'source');
    await bed.kubectl(['delete', 'pod', 'source', '-n', namespace]);
  });
  afterAll(async () => {
    for (const kind of ['podrestores', 'podsnapshots']) {
      await bed.kubectl(['delete', kind, '--all', '-n', namespace, '--wait=false']);
    }
    await deleteNamespace(bed, namespace);
  });

  /** Waits until it is Ready or Failed and returns it. */
  const ended = (name: string): Promise<PodRestore> =>
    bed.waitFor(
      `podrestore ${name} to end`,
      async () => {
        const text = await bed.kubectl(['get', 'podrestore', name, '-n', namespace, '-o', 'json']);
        const parsed = parsePodRestore(JSON.parse(text));
        if (!parsed.ok) throw new Error(parsed.message);
        const { conditions } = parsed.value.status;
        const over = isTrue(conditions, 'Ready') || isTrue(conditions, 'Failed');
        return over ? parsed.value : undefined;
      },
      90_000,
    );
  const failureOf = ({ status }: PodRestore) => findCondition(status.conditions, 'Failed');
  const podExists = async (name: string): Promise<boolean> =>
    (await bed.kubectl([
      'get',
      'pod',
      name,
      '-n',
      namespace,
      '--ignore-not-found',
      '-o',
      'name',
    ])) !== '';

  it('goes on counting on the node that was asked for, and outlives the PodRestore', async () => {
    const nodeSelector = { 'kubernetes.io/hostname': 'node-b' };
    await bed.apply(manifest('again', namespace, { nodeSelector }));
    await bed.kubectl([
      ...['wait', 'podrestore/again', '-n', namespace],
      ...['--for=condition=Ready', '--timeout=90s'],
    ]);
    const { metadata, status } = await ended('again');
    expect(status, JSON.stringify(status)).toMatchObject({
      ...{ phase: 'Restored', nodeName: 'node-b', attempts: 1 },
      candidates: [
        { node: 'node-b', fits: true },
        { node: 'node-a', fits: false, reason: expect.stringContaining('asked for is node-b') },
      ],
    });
    expect(status.bytesFetched).toBeGreaterThan(32 * 2 ** 20);
    expect(status.restoreMilliseconds).toBeGreaterThan(0);
    const first = await bed.waitFor(
      'the counter to go on',
      async () => firstTick(await logsOf(bed, namespace, 'again').catch(() => '')),
      30_000,
    );
    expect(first.token).toBe(before.token);
    expect(first.count).toBeGreaterThan(1);
    await bed.kubectl(['delete', 'podrestore', metadata.name, '-n', namespace]);
    const after = await bed.waitFor(
      'it to count on without its PodRestore',
      async () => {
        const tick = lastTick(await logsOf(bed, namespace, 'again'));
        return tick !== undefined && tick.count > first.count + 2 ? tick : undefined;
      },
      30_000,
    );
    expect(after.token).toBe(before.token);
    expect(await podExists('again')).toBe(true);
  });

  it('is not restored into a pod that bears its marks and is not on its record', async () => {
    const text = await bed.kubectl(['get', 'pod', 'again', '-n', namespace, '-o', 'json']);
    const { metadata, spec } = JSON.parse(text);
    const { labels, annotations } = metadata;
    const copy = { name: 'copy', namespace, labels, annotations };
    // Nobody but the controller may set the label; what it makes must be on record all the same.
    const controller = 'system:serviceaccount:cryopod-system:cryopod-controller';
    const late = stringify({ apiVersion: 'v1', kind: 'Pod', metadata: copy, spec });
    await bed.kubectl(['create', `--as=${controller}`, '-f', '-'], late);
    await expect(waitForRestored(bed, namespace, 'copy')).rejects.toThrow(
      'RestoreIncompatible: PodRestore again is gone, and the pod was not restored before',
    );
  });

  it('says of each node why it cannot take it, and ends at its deadline without a pod', async () => {
    const nodeSelector = { 'kubernetes.io/hostname': 'node-z' };
    await bed.apply(manifest('nowhere', namespace, { nodeSelector, deadlineSeconds: 2 }));
    const restore = await ended('nowhere');
    expect(failureOf(restore)).toMatchObject({ reason: 'DeadlineExceeded' });
    expect(failureOf(restore)?.message).toContain('No node can take it');
    expect(restore.status.candidates?.map(({ node, fits }) => [node, fits])).toEqual([
      ['node-a', false],
      ['node-b', false],
    ]);
    expect(await podExists('nowhere')).toBe(false);
  });

  it('whose deadline passes under way leaves no pod behind', async () => {
    // No node has as many CPUs, so it is never placed.
    const overrides = { resources: [{ container: 'main', requests: { cpu: '500' } }] };
    await bed.apply(manifest('starved', namespace, { overrides, deadlineSeconds: 5 }));
    const restore = await ended('starved');
    expect(failureOf(restore)).toMatchObject({ reason: 'DeadlineExceeded' });
    expect(failureOf(restore)?.message).toContain('not on a node yet');
    expect(await podExists('starved')).toBe(false);
  });

  it('whose artifact is damaged starts cold where that is asked for, and says so everywhere', async () => {
    const { status } = await waitForEnd(bed, namespace, 'counter', 10_000);
    const digest = (status.artifact?.digest ?? '').replace('sha256:', '');
    const node = bed.node('node-a');
    const blob = `/var/lib/cryopod-store/blobs/sha256/${digest}`;
    // The caches of the nodes may have the artifact; the manifest is read from the store each time.
    const broken = await node.exec(['sh', '-c', `chmod u+w ${blob} && printf x >> ${blob}`]);
    expect(broken.exitCode, broken.stderr).toBe(0);
    const spec = {
      onFailure: 'ColdStart',
      maxAttempts: 1,
      nodeSelector: { 'kubernetes.io/hostname': 'node-a' },
    };
    await bed.apply(manifest('cold', namespace, spec));
    const restore = await ended('cold');
    expect(restore.status, JSON.stringify(restore.status)).toMatchObject({ phase: 'StartedCold' });
    expect(isTrue(restore.status.conditions, 'Restored')).toBe(false);
    expect(findCondition(restore.status.conditions, 'Restored')?.reason).toBe('StartedCold');
    const tick = await waitForTick(bed, namespace, 'cold');
    expect(tick.token).not.toBe(before.token);
    const annotated = await bed.kubectl([
      ...['get', 'pod', 'cold', '-n', namespace],
      ...['-o', 'jsonpath={.metadata.annotations.nvidia\\.com/restore-started-cold}'],
    ]);
    expect(annotated).toMatch(/^Restore(Failed|Incompatible): /);
  });
});
