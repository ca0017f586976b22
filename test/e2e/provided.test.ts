import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTrue } from '../../core/api/conditions.ts';
import { apiVersion, contentName } from '../../core/api/names.ts';
import { parsePodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readSnapshot,
  waitForEnd,
} from './cluster.ts';
import { sourcePod } from './workloads.ts';

const limit = 90_000;

describe('bytes that outlive their snapshot', () => {
  let bed: Bed;
  let namespace: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'provided');
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const apply = (object: object): Promise<void> => bed.apply(JSON.stringify(object));
  const patch = (content: string, spec: object): Promise<string> =>
    bed.kubectl([
      'patch',
      'podsnapcontent',
      content,
      '--type=merge',
      '-p',
      JSON.stringify({ spec }),
    ]);
  const remove = (kind: string, name: string): Promise<string> => {
    const where = kind === 'podsnapcontent' ? [] : ['-n', namespace];
    return bed.kubectl(['delete', kind, name, ...where, `--timeout=${limit / 1000}s`]);
  };
  const naming = (name: string, content: string): object => ({
    apiVersion,
    kind: 'PodSnapshot',
    metadata: { name, namespace },
    spec: { source: { contentName: content } },
  });
  async function content(name: string) {
    const text = await bed.kubectl([
      'get',
      'podsnapcontent',
      name,
      '--ignore-not-found',
      '-o',
      'json',
    ]);
    const parsed = text.trim() === '' ? undefined : parsePodSnapshotContent(JSON.parse(text));
    return parsed?.ok ? parsed.value : undefined;
  }
  const exists = async (node: string, uid: string): Promise<boolean> =>
    (
      await bed.kubectl([
        ...['-n', 'cryopod-system', 'exec', await agentOn(node), '--', 'sh', '-c'],
        `test -e /var/lib/cryopod-store/snapshots/${namespace}/${uid}.json && echo yes || echo no`,
      ])
    ).includes('yes');
  const agentOn = async (node: string): Promise<string> => {
    const selector = [
      '-l',
      'app.kubernetes.io/component=agent',
      '--field-selector',
      `spec.nodeName=${node}`,
    ];
    const words = ['-n', 'cryopod-system', 'get', 'pod', ...selector, '-o', 'name'];
    return (await bed.kubectl(words)).trim();
  };

  it('are released, bound again, entered once more for the same artifact, and go with the last of them', async () => {
    const pod = 'keeper';
    const environment = { MEMORY_MEBIBYTES: '8', KEEP_RUNNING: '1' };
    const image = 'cryopod.dev/sample-counter:dev';
    await bed.apply(sourcePod({ name: pod, namespace, image, environment }));
    const counts = async () => lastTick(await logsOf(bed, namespace, pod).catch(() => ''));
    await bed.waitFor('the counter to count', counts, 60_000);
    await apply({
      apiVersion,
      kind: 'PodSnapshot',
      metadata: { name: 'first', namespace },
      spec: {
        source: { podRef: { name: pod, containers: ['main'] } },
        deletionPolicy: 'Retain',
      },
    });
    const first = await waitForEnd(bed, namespace, 'first', limit);
    expect(isTrue(first.status.conditions, 'Ready')).toBe(true);
    const kept = contentName(first.metadata.uid);
    await remove('podsnap', 'first');
    expect(isTrue((await content(kept))?.status.conditions ?? [], 'Released')).toBe(true);

    await patch(kept, { snapshotRef: { name: 'again', uid: null } });
    await apply(naming('again', kept));
    const again = await waitForEnd(bed, namespace, 'again', limit);
    expect(isTrue(again.status.conditions, 'Ready')).toBe(true);

    // The store is each node's own here, so the node is named.
    const { digest = '', store = '' } = again.status.artifact ?? {};
    const nodeName = first.status.nodeName ?? '';
    await apply({
      apiVersion,
      kind: 'PodSnapshotContent',
      metadata: { name: `${namespace}-imported` },
      spec: {
        snapshotRef: { namespace, name: 'imported' },
        source: { nodeName, artifact: { store, digest } },
      },
    });
    await apply(naming('imported', `${namespace}-imported`));
    const imported = await waitForEnd(bed, namespace, 'imported', limit);
    expect(isTrue(imported.status.conditions, 'Ready')).toBe(true);
    expect(imported.status.artifact?.digest).toBe(digest);

    await patch(kept, { deletionPolicy: 'Delete' });
    await remove('podsnap', 'again');
    expect(await content(kept)).toBeUndefined();
    const uid = (await content(`${namespace}-imported`))?.metadata.uid ?? '';
    expect(await exists(nodeName, uid)).toBe(true);
    const verify = ['node', 'dist/cli/main.js', 'artifact', 'verify', `${namespace}/${uid}`];
    const agent = await agentOn(nodeName);
    await bed.kubectl(['-n', 'cryopod-system', 'exec', agent, '--', ...verify]);

    await remove('podsnap', 'imported');
    expect(await content(`${namespace}-imported`)).toBeUndefined();
    expect(await exists(nodeName, uid)).toBe(false);
    expect(await readSnapshot(bed, namespace, 'imported')).toBeUndefined();
  });

  it('that no store has leave a content Failed with ArtifactLost, said by the agent of the node', async () => {
    const [node = ''] = (await bed.kubectl(['get', 'nodes', '-o', 'name'])).split('\n');
    const nodeName = node.replace('node/', '');
    const name = `${namespace}-absent`;
    const artifact = { store: 'dir', digest: `sha256:${'0'.repeat(64)}` };
    await apply({
      apiVersion,
      kind: 'PodSnapshotContent',
      metadata: { name },
      spec: { snapshotRef: { namespace, name: 'absent' }, source: { nodeName, artifact } },
    });
    await apply(naming('absent', name));
    const absent = await waitForEnd(bed, namespace, 'absent', limit);
    const failed = absent.status.conditions.find(({ type }) => type === 'Failed');
    expect(failed).toMatchObject({ status: 'True', reason: 'ArtifactLost' });
    await remove('podsnap', 'absent');
    expect(await content(name)).toBeUndefined();
  });
});
