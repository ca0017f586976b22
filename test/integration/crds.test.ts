import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Bed } from '../bed/bed.ts';
import { type Example, examples } from '../unit/core/examples.ts';
import { type DefinitionsBed, openDefinitionsBed } from './definitions-bed.ts';

let server: DefinitionsBed;
let bed: Bed;

beforeAll(async () => {
  server = await openDefinitionsBed('crds');
  ({ bed } = server);
});
afterAll(() => server.close());

const create = (object: unknown, ...flags: readonly string[]): Promise<Example['object']> =>
  server.create(object, ...flags);
const patch = (of: readonly string[], body: unknown): Promise<Example['object']> =>
  server.patch(of, body);

function example(file: string): Example['object'] {
  const found = examples('valid').find((one) => one.file === file);
  if (found === undefined) throw new Error(`no example ${file}`);
  return found.object;
}

/** An example as a living object under a name of its own; returns how kubectl calls it. */
async function living(file: string, name: string): Promise<readonly string[]> {
  const object = example(file);
  const metadata = { ...(object.metadata as object), name };
  await create({ ...object, metadata });
  return [`${String(object.kind).toLowerCase()}.nvidia.com`, name];
}

const condition = (type: string, status: 'True' | 'False', reason: string): unknown => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const status = (...conditions: readonly unknown[]): unknown => ({ status: { conditions } });

describe('examples', () => {
  it.each(examples('valid'))(
    'the server takes $file, and reads it as the parser does',
    async (one) => {
      const stored = await create(one.object, '--dry-run=server');
      const fromServer = one.parse(stored);
      const fromFile = one.parse(one.object);
      if (!fromServer.ok || !fromFile.ok) throw new Error(JSON.stringify([fromServer, fromFile]));
      // Both have filled in the same defaults, and neither knows a field that the other drops.
      expect(fromServer.value).toMatchObject({ spec: stored.spec });
      expect(fromFile.value).toMatchObject({ spec: stored.spec });
    },
  );

  it.each(examples('invalid'))('the server refuses $file, and the parser too', async (one) => {
    expect(one.words).not.toBe('');
    await expect(create(one.object, '--dry-run=server')).rejects.toThrow(one.words);
    expect(one.parse(one.object).ok).toBe(false);
  });

  it('a field that nobody knows is refused by kubectl as it is used', async () => {
    const object = { ...example('podsnapshot-basic.yaml'), spec: { source: {}, forse: true } };
    const creating = bed.kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(object));
    await expect(creating).rejects.toThrow('unknown field "spec.forse"');
  });
});

describe('PodSnapshot', () => {
  const immutable = 'spec is immutable, except that cancel may change from false to true';

  it.each([
    { tcp: 'Refuse' },
    { deadlineSeconds: 60 },
    { freezeBudgetSeconds: 5 },
    { afterCapture: 'Terminate' },
    { waitForReady: false },
    { deletionPolicy: 'Retain' },
    { source: { podRef: { uid: 'another' } } },
    { source: { podRef: { containers: ['sidecar'] } } },
  ])('keeps its spec: %o is refused', async (spec) => {
    const name = `keeps-${Object.keys(spec)[0]?.toLowerCase()}-${JSON.stringify(spec).length}`;
    const snapshot = await living('podsnapshot-basic.yaml', name);
    await expect(patch(snapshot, { spec })).rejects.toThrow(immutable);
  });

  it('keeps a freeze budget that it has', async () => {
    const snapshot = await living('podsnapshot-all-options.yaml', 'budget');
    await expect(patch(snapshot, { spec: { freezeBudgetSeconds: null } })).rejects.toThrow(
      immutable,
    );
    await expect(patch(snapshot, { spec: { freezeBudgetSeconds: 31 } })).rejects.toThrow(immutable);
  });

  it('is cancelled once and stays so', async () => {
    const snapshot = await living('podsnapshot-basic.yaml', 'cancelled');
    expect(parsePodSnapshot(await patch(snapshot, { spec: { cancel: true } }))).toMatchObject({
      ok: true,
      value: { spec: { cancel: true }, metadata: { generation: 2 } },
    });
    for (const cancel of [false, null]) {
      await expect(patch(snapshot, { spec: { cancel } })).rejects.toThrow(
        'cancel may only change from false to true',
      );
    }
  });

  it('is found by the pod that it captures', async () => {
    await living('podsnapshot-all-options.yaml', 'by-pod');
    const selector = 'spec.source.podRef.name=web-0.rack-7';
    expect(await bed.kubectl(['get', 'podsnap', '--field-selector', selector])).toContain('by-pod');
  });

  it('shows in its columns what became of it', async () => {
    const snapshot = await living('podsnapshot-basic.yaml', 'columns');
    await patch([...snapshot, '--subresource=status'], {
      status: {
        boundSnapshotContentName: 'podsnapshotcontent-1',
        stage: 'Captured',
        nodeName: 'node-a',
        freezeMilliseconds: 128,
        stageMilliseconds: { queued: 0, preparing: 12, freezing: 180, publishing: 2400 },
        artifact: {
          digest: `sha256:${'3b'.repeat(32)}`,
          sizeBytes: 536_870_912,
          storedBytes: 4096,
          store: 'shared',
        },
        conditions: [condition('Ready', 'True', 'Captured')],
      },
    });
    const table = await bed.kubectl(['get', 'podsnap', 'columns', '-o', 'wide']);
    const [titles = '', row = ''] = table.trim().split('\n');
    expect(titles.split(/\s+/)).toEqual(
      'NAME CONTENT READY STAGE SIZE FREEZE REASON NODE AGE'.split(' '),
    );
    expect(row.split(/\s+/).slice(0, 8)).toEqual(
      'columns podsnapshotcontent-1 True Captured 536870912 128 Captured node-a'.split(' '),
    );
  });
});

describe('PodSnapshotContent', () => {
  it('changes its deletion policy both ways and is cancelled once; the rest stays', async () => {
    const content = await living('podsnapshotcontent-order.yaml', 'order');
    await patch(content, { spec: { deletionPolicy: 'Retain' } });
    await patch(content, { spec: { deletionPolicy: 'Delete', cancel: true } });
    await expect(patch(content, { spec: { cancel: false } })).rejects.toThrow(
      'cancel may only change from false to true',
    );
    const another = patch(content, { spec: { snapshotRef: { uid: 'another' } } });
    await expect(another).rejects.toThrow('spec.snapshotRef is immutable');
    for (const spec of [
      { source: { nodeName: 'node-b' } },
      { source: { template: { metadata: { labels: { app: 'another' } } } } },
      { source: { template: null } },
      { tcp: 'Established' },
      { freezeBudgetSeconds: 1 },
    ]) {
      await expect(patch(content, { spec })).rejects.toThrow(
        'spec is immutable, except deletionPolicy, cancel and the snapshotRef',
      );
    }
  });

  it('is found by node and by snapshot', async () => {
    await living('podsnapshotcontent-order.yaml', 'routed');
    const selector =
      'spec.source.nodeName=node-a,spec.snapshotRef.namespace=default,spec.snapshotRef.name=counter-snapshot';
    expect(await bed.kubectl(['get', 'podsnapcontent', '--field-selector', selector])).toContain(
      'routed',
    );
  });

  it('keeps every field of a status that the parser knows', async () => {
    const content = await living('podsnapshotcontent-order.yaml', 'full-status');
    const full = {
      observedGeneration: 1,
      nodeName: 'node-a',
      stage: 'Publishing',
      progress: {
        bytesDone: 1,
        bytesTotal: 2,
        bytesPerSecond: 1,
        estimatedCompletionTime: '2026-01-01T00:00:01Z',
      },
      sourceState: 'Running',
      startedAt: '2026-01-01T00:00:00Z',
      completedAt: '2026-01-01T00:00:02Z',
      attempts: 1,
      conditions: [condition('Progressing', 'True', 'Publishing')],
      source: {
        node: {
          name: 'node-a',
          architecture: 'amd64',
          kernelVersion: '6',
          criuVersion: '4',
          cpu: 'x',
        },
        pod: {
          images: [{ container: 'main', image: 'a:b', imageID: 'a@sha256:c' }],
          limits: { main: { memory: '1Gi' } },
        },
      },
    };
    const stored = await patch([...content, '--subresource=status'], { status: full });
    expect(stored.status).toEqual(full);
    expect(parsePodSnapshotContent(stored)).toMatchObject({ ok: true, value: { status: full } });
  });
});

describe.each([
  ['podsnapshot-basic.yaml', 'snapshot'],
  ['podsnapshotcontent-order.yaml', 'content'],
])('the end of %s', (file, name) => {
  const captured = [
    condition('Ready', 'True', 'Captured'),
    condition('Failed', 'False', 'Captured'),
  ];
  const failed = [condition('Ready', 'False', 'NodeLost'), condition('Failed', 'True', 'NodeLost')];

  it('is never Ready and Failed at once', async () => {
    const target = [...(await living(file, `${name}-both`)), '--subresource=status'];
    const both = status(condition('Ready', 'True', 'Captured'), condition('Failed', 'True', 'X'));
    await expect(patch(target, both)).rejects.toThrow('Ready and Failed must not both be True');
  });

  it('is not taken back when it failed', async () => {
    const target = [...(await living(file, `${name}-failed`)), '--subresource=status'];
    await patch(target, status(...failed));
    await expect(patch(target, status(...captured))).rejects.toThrow('Failed is final');
    await expect(patch(target, status())).rejects.toThrow('Failed is final');
  });

  it('is not taken back when it is Ready, unless the bytes are gone', async () => {
    const target = [...(await living(file, `${name}-ready`)), '--subresource=status'];
    await patch(target, status(...captured));
    const final = 'Ready is final unless the artifact was found damaged or gone';
    await expect(patch(target, status(...failed))).rejects.toThrow(final);
    await expect(patch(target, status())).rejects.toThrow(final);
    await patch(target, status(condition('Ready', 'False', 'ArtifactLost')));
  });
});

describe('DynamoCheckpoint', () => {
  it.each([
    ['identity', { identity: { dtype: 'fp8' } }, 'spec.identity is immutable after creation'],
    ['no-identity', { identity: null }, 'spec.identity is immutable after creation'],
    ['job', { job: { backoffLimit: 1 } }, 'spec.job is immutable after creation'],
    [
      'template',
      { job: { podTemplateSpec: { spec: { hostNetwork: true } } } },
      'spec.job is immutable after creation',
    ],
  ])('keeps what it was made of (%s)', async (name, spec, message) => {
    const checkpoint = await living('dynamocheckpoint-dynamo.yaml', name);
    await expect(patch(checkpoint, { spec })).rejects.toThrow(message);
  });

  it('keeps every field of a pod template, and the settings of the GPU memory service', async () => {
    const checkpoint = await living('dynamocheckpoint-dynamo.yaml', 'kept');
    const stored = await patch(checkpoint, { spec: { gpuMemoryService: { mode: 'InterPod' } } });
    expect(parseDynamoCheckpoint(stored)).toMatchObject({
      ok: true,
      value: { spec: { gpuMemoryService: { enabled: true, mode: 'InterPod' } } },
    });
  });
});

it('kubectl get snapshots shows all kinds', async () => {
  await living('snapshotjob-minimal.yaml', 'listed');
  const table = await bed.kubectl(['get', 'snapshots', '-A', '-o', 'name']);
  const kinds = ['podsnapshot', 'podsnapshotcontent', 'dynamocheckpoint', 'snapshotjob'];
  for (const kind of kinds) expect(table).toContain(`${kind}.nvidia.com/`);
});
