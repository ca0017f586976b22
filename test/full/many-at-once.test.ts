import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureLeaseName, contentName } from '../../core/api/names.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
} from '../e2e/cluster.ts';
import { counterCheckpoint, snapshotOf, sourcePod } from '../e2e/workloads.ts';

const checkpoints = 20;
const captures = 10;
const names = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);

let bed: Bed;
beforeAll(async () => {
  bed = await attachSharedBed();
});

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** Every file below a directory, on every node. */
async function filesBelow(directory: string): Promise<readonly string[]> {
  const found = await Promise.all(
    bed.nodes.map(async (name) => {
      const { stdout } = await bed.node(name).exec(['find', directory, '-type', 'f']);
      return lines(stdout).map((file) => `${name}:${file}`);
    }),
  );
  return found.flat().toSorted();
}

describe(`${checkpoints} DynamoCheckpoints at once`, () => {
  let namespace: string;
  beforeAll(async () => {
    namespace = await createNamespace(bed, 'twenty');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
  });

  it('all become Ready, on both nodes, and their Jobs go', async () => {
    const all = names('counter', checkpoints).map((name) =>
      counterCheckpoint({ name, namespace, memoryMebibytes: 8 }),
    );
    const started = performance.now();
    await bed.apply(all.join('---\n'));
    const path = '{range .items[*]}{.status.phase} {.status.message}{"\\n"}{end}';
    await bed.waitFor(
      'all to be Ready',
      async () => {
        const said = lines(
          await bed.kubectl(['get', 'dckpt', '-n', namespace, '-o', `jsonpath=${path}`]),
        );
        const failed = said.find((line) => line.startsWith('Failed'));
        if (failed !== undefined) throw new Error(failed);
        return said.filter((line) => line.startsWith('Ready')).length === checkpoints
          ? true
          : undefined;
      },
      600_000,
    );
    console.log(
      `${checkpoints} checkpoints Ready after ${Math.round(performance.now() - started)} ms`,
    );
    const nodes = await bed.kubectl([
      ...['get', 'podsnap', '-n', namespace],
      ...['-o', 'jsonpath={range .items[*]}{.status.nodeName}{"\\n"}{end}'],
    ]);
    expect(lines(nodes)).toHaveLength(checkpoints);
    expect([...new Set(lines(nodes))].toSorted()).toEqual([...bed.nodes].toSorted());
    await bed.waitFor(
      'the Jobs to go',
      async () =>
        (await bed.kubectl(['get', 'jobs', '-n', namespace, '-o', 'name'])) === ''
          ? true
          : undefined,
      120_000,
    );
  });
});

describe(`a namespace deleted while ${captures} captures are in flight`, () => {
  it('is gone within 30 s, and leaves no content, lease, label or byte', async () => {
    const namespace = await createNamespace(bed, 'ten');
    const pods = names('source', captures);
    const environment = { MEMORY_MEBIBYTES: '64', KEEP_RUNNING: '1' };
    const image = 'cryopod.dev/sample-counter:dev';
    const nodeOf = (index: number): string => bed.nodes[index % bed.nodes.length] ?? '';
    await bed.apply(
      pods
        .map((name, index) =>
          sourcePod({ name, namespace, image, nodeName: nodeOf(index), environment }),
        )
        .join('---\n'),
    );
    for (const pod of pods) {
      await bed.waitFor(
        `${pod} to count`,
        async () => lastTick(await logsOf(bed, namespace, pod).catch(() => '')),
        120_000,
      );
    }
    const store = '/var/lib/cryopod-store';
    const before = await filesBelow(store);
    await bed.apply(pods.map((pod) => snapshotOf({ name: pod, namespace, pod })).join('---\n'));
    const bound =
      '{range .items[*]}{.metadata.uid} {.status.boundSnapshotContentName} {.status.stage}{"\\n"}{end}';
    const snapshots = await bed.waitFor(
      'all captures to be in flight',
      async () => {
        const said = lines(
          await bed.kubectl(['get', 'podsnap', '-n', namespace, '-o', `jsonpath=${bound}`]),
        ).map((line) => line.split(' '));
        return said.length === captures &&
          said.every(([, content = '']) => content !== '') &&
          said.some(([, , stage = '']) => stage !== '')
          ? said
          : undefined;
      },
      60_000,
    );
    // None is written before the first news; by then some are frozen, some queued, some captured.
    const stages = snapshots.map(([, , stage = '']) => stage || 'Pending');
    console.log(`stages at the deletion: ${stages.join(' ')}`);
    expect(stages.every((stage) => stage === 'Captured')).toBe(false);
    const uids = snapshots.map(([uid = '']) => uid);
    const path = '{range .items[*]}{.metadata.name} {.metadata.uid}{"\\n"}{end}';
    const contents = lines(await bed.kubectl(['get', 'podsnapcontent', '-o', `jsonpath=${path}`]))
      .map((line) => line.split(' '))
      .filter(([name = '']) => uids.some((uid) => contentName(uid) === name));
    const started = performance.now();
    await deleteNamespace(bed, namespace);
    const leases = new Set(contents.map(([, uid = '']) => captureLeaseName(uid)));
    /** What is still there, in words. */
    const left = async (): Promise<readonly string[]> => {
      const get = async (...words: readonly string[]): Promise<readonly string[]> =>
        lines(await bed.kubectl(['get', ...words, '--ignore-not-found', '-o', 'name']));
      const files = await filesBelow(store);
      const own = contents.map(([name = '']) => `podsnapshotcontent.nvidia.com/${name}`);
      return [
        ...(await get('namespace', namespace)),
        ...(await get('podsnapcontent')).filter((name) => own.includes(name)),
        ...(await get('leases', '-n', 'cryopod-system')).filter((name) =>
          leases.has(name.split('/')[1] ?? ''),
        ),
        ...(await get('pods', '-A', '-l', 'nvidia.com/snapshot-capture-eligible')),
        ...(await filesBelow('/var/lib/cryopod/staging')),
        ...files.filter((file) => !before.includes(file)),
      ];
    };
    let rest: readonly string[] = [];
    await bed.waitFor(
      () => `all of these to be gone:\n${rest.join('\n')}`,
      async () => {
        rest = await left();
        return rest.length === 0 ? true : undefined;
      },
      30_000,
    );
    console.log(`all gone after ${Math.round(performance.now() - started)} ms`);
  });
});
