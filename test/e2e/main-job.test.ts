import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { readCaptured } from './captured-file.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  logsOf,
  readCheckpoint,
  readContent,
  readSnapshot,
  waitForEmptyStaging,
} from './cluster.ts';
import { placeholderOf, waitForRestored } from './placeholder.ts';
import { counterCheckpoint } from './workloads.ts';

describe('a DynamoCheckpoint of the counter', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'main-job');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  it('becomes Ready, and what it captured is restored on the other node', async () => {
    await bed.apply(counterCheckpoint({ name: 'counter', namespace, memoryMebibytes: 64 }));
    const sourcePod = await bed.waitFor(
      'the pod of the checkpoint Job',
      async () => {
        const text = await bed.kubectl(['get', 'pods', '-n', namespace, '-o', 'json']);
        const pods: { items: { metadata: { name: string }; spec: { nodeName?: string } }[] } =
          JSON.parse(text);
        return pods.items.find((pod) => pod.spec.nodeName !== undefined);
      },
      30_000,
    );
    let log = '';
    const checkpoint = await bed.waitFor(
      'the checkpoint to be Ready',
      async () => {
        // The Job is removed after the end, so its log is read on the way.
        log = (await logsOf(bed, namespace, sourcePod.metadata.name).catch(() => '')) || log;
        const found = await readCheckpoint(bed, namespace, 'counter');
        if (found?.status.phase === 'Failed') throw new Error(`Failed: ${found.status.message}`);
        return found?.status.phase === 'Ready' ? found : undefined;
      },
      60_000,
    );
    const before = lastTick(log);
    expect(before).toBeDefined();

    const snapshot = await readSnapshot(bed, namespace, checkpoint.status.podSnapshotName ?? '');
    if (snapshot === undefined) throw new Error('the snapshot is gone');
    expect(snapshot.status.stage).toBe('Captured');
    expect(snapshot.status.sourceState).toBe('Running');
    expect(snapshot.status.artifact?.sizeBytes).toBeGreaterThan(64 * 2 ** 20);
    const content = await readContent(bed, snapshot.metadata.uid);
    if (content === undefined) throw new Error('the content is gone');
    expect(isTrue(content.status.conditions, 'Ready')).toBe(true);

    await bed.waitFor(
      'the Job and its pod to be gone',
      async () => {
        const rest = await bed.kubectl(['get', 'jobs,pods', '-n', namespace, '-o', 'name']);
        return rest.trim() === '' ? true : undefined;
      },
      60_000,
    );
    for (const name of bed.nodes) await waitForEmptyStaging(bed, name);

    const { template } = content.spec.source;
    if (template === undefined) throw new Error('the content keeps no template');
    const sourceNode = sourcePod.spec.nodeName;
    const node = bed.nodes.find((name) => name !== sourceNode);
    if (node === undefined) throw new Error('the bed has one node only');
    const again = 'counter-again';
    const source = stringify({ metadata: { namespace }, spec: template.spec });
    await bed.apply(placeholderOf(source, { name: again, snapshot: 'counter', nodeName: node }));
    await waitForRestored(bed, namespace, again);
    const first = await bed.waitFor(
      'the restored counter to print',
      async () => firstTick(await logsOf(bed, namespace, again)),
      30_000,
    );
    expect(first.token).toBe(before?.token);
    // The counter writes the number into its writable layer just before it prints it: memory and files are of one instant.
    const artifact = { namespace, contentUID: content.metadata.uid };
    const layer = 'containers/main/rootfs.tar';
    const captured = Number(await readCaptured(bed, artifact, layer, 'var/lib/counter/state'));
    expect(captured).toBeGreaterThan(0);
    expect([captured, captured + 1]).toContain(first.count);
    const later = await bed.waitFor(
      'the restored counter to count on',
      async () => {
        const tick = lastTick(await logsOf(bed, namespace, again));
        return tick !== undefined && tick.count >= first.count + 2 ? tick : undefined;
      },
      30_000,
    );
    expect(later.token).toBe(before?.token);
    await bed.kubectl(['delete', 'pod', again, '-n', namespace, '--wait=false']);
  });

  it('leaves no bytes when the snapshot is deleted', async () => {
    const snapshot = await readSnapshot(bed, namespace, 'counter');
    if (snapshot === undefined) throw new Error('the snapshot is gone');
    await bed.kubectl(['delete', 'dynamocheckpoint', 'counter', '-n', namespace]);
    await bed.waitFor(
      'the content to be gone',
      async () =>
        (await readContent(bed, snapshot.metadata.uid)) === undefined ? true : undefined,
      30_000,
    );
    const store = join(bed.node(bed.nodes[0] ?? '').rootPath, 'var/lib/cryopod-store');
    expect(await readdir(join(store, 'snapshots', namespace)).catch(() => [])).toEqual([]);
  });
});
