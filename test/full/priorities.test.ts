import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  waitForEnd,
  waitForTick,
} from '../e2e/cluster.ts';
import { snapshotOf, sourcePod } from '../e2e/workloads.ts';

const node = 'node-b';
const event = z.object({
  items: z.array(
    z.looseObject({
      eventTime: z.string(),
      message: z.string(),
      involvedObject: z.looseObject({ name: z.string() }),
    }),
  ),
});

describe('captures of pods with different priorities on one node', () => {
  let bed: Bed;
  let namespace: string;
  const classes = { late: 10, early: 1000 };

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'priorities');
    for (const [name, value] of Object.entries(classes)) {
      const metadata = { name: `${namespace}-${name}` };
      const kind = 'PriorityClass';
      await bed.apply(stringify({ apiVersion: 'scheduling.k8s.io/v1', kind, metadata, value }));
    }
    const pod = async (name: string, mebibytes: number, priority?: string): Promise<void> => {
      const source = parse(
        sourcePod({
          ...{ name, namespace, nodeName: node, image: 'cryopod.dev/sample-counter:dev' },
          environment: { MEMORY_MEBIBYTES: String(mebibytes), KEEP_RUNNING: '1' },
        }),
      );
      if (priority !== undefined) source.spec.priorityClassName = `${namespace}-${priority}`;
      await bed.apply(stringify(source));
      await waitForTick(bed, namespace, name);
    };
    await pod('holder', 3072);
    await pod('none', 16);
    await pod('late', 16, 'late');
    await pod('early', 16, 'early');
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
    for (const name of Object.keys(classes)) {
      await bed.kubectl(['delete', 'priorityclass', `${namespace}-${name}`]);
    }
  });

  /** Names of the snapshots whose dump has begun, in that order. */
  const freezing = async (): Promise<readonly string[]> => {
    const selection = ['-n', namespace, '--field-selector', 'reason=Freezing', '-o', 'json'];
    const { items } = event.parse(JSON.parse(await bed.kubectl(['get', 'events', ...selection])));
    return items
      .filter(({ message }) => message.startsWith('freezing container'))
      .toSorted((a, b) => (a.eventTime < b.eventTime ? -1 : 1))
      .map((item) => item.involvedObject.name);
  };

  it('begin by priority, not by age, once the one before them lets its source go on', async () => {
    await bed.apply(snapshotOf({ name: 'holder', namespace, pod: 'holder' }));
    await bed.waitFor(
      'the large one to be dumped',
      async () => ((await freezing()).includes('holder') ? true : undefined),
      60_000,
    );
    // The least important first: by age it would be the next.
    await bed.apply(
      ['none', 'late', 'early']
        .map((name) => snapshotOf({ name, namespace, pod: name }))
        .join('---\n'),
    );
    for (const name of ['holder', 'none', 'late', 'early']) {
      const { status } = await waitForEnd(bed, namespace, name, 180_000);
      expect(isTrue(status.conditions, 'Ready'), JSON.stringify(status)).toBe(true);
      console.log(
        name,
        status.stageMilliseconds,
        findCondition(status.conditions, 'Ready')?.message,
      );
    }
    expect(await freezing()).toEqual(['holder', 'early', 'late', 'none']);
  });
});
