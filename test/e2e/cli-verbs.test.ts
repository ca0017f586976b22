import { chmod, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bed, kubectlWords } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  lastTick,
  logsOf,
  readContent,
  readSnapshot,
  waitForTick,
} from './cluster.ts';
import { sourcePod } from './workloads.ts';

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe('the compiled command line', () => {
  let bed: Bed;
  let namespace: string;
  let directory: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'cli-verbs');
    // Below the packages that it loads.
    await mkdir(root('dist'), { recursive: true });
    directory = await mkdtemp(join(root('dist'), 'cli-'));
    const compiler = root('node_modules/typescript/bin/tsc');
    const project = ['-p', root('tsconfig.build.json'), '--outDir', directory];
    await execa(process.execPath, [compiler, ...project]);
    const program = join(directory, 'cli/main.js');
    await chmod(program, 0o755);
    for (const name of ['cryopod', 'kubectl-cryopod'])
      await symlink(program, join(directory, name));
  });
  afterAll(async () => {
    await deleteNamespace(bed, namespace);
    await rm(directory, { recursive: true });
  });

  const environment = () => ({
    KUBECONFIG: bed.kubeconfigPath,
    PATH: [directory, dirname(process.execPath), process.env.PATH].join(delimiter),
  });
  const cryopod = (...words: readonly string[]) =>
    execa('cryopod', [...words, '-n', namespace], { env: environment(), reject: false });
  /** The same through kubectl, as a plugin. */
  const kubectlCryopod = (...words: readonly string[]) => {
    const [program = '', ...first] = kubectlWords(bed.name).argv;
    return execa(program, [...first, 'cryopod', ...words, '-n', namespace], {
      ...{ env: environment(), reject: false },
    });
  };

  it('captures a pod, waits for it and shows it', async () => {
    const environmentOfPod = {
      MEMORY_MEBIBYTES: '64',
      KEEP_RUNNING: '1',
      TICK_MILLISECONDS: '100',
    };
    const image = 'cryopod.dev/sample-counter:dev';
    const pod = { name: 'counter', namespace, image, nodeName: 'node-a' };
    await bed.apply(sourcePod({ ...pod, environment: environmentOfPod }));
    await waitForTick(bed, namespace, 'counter');

    const captured = await cryopod('checkpoint', 'pod/counter', '--name', 'kept', '--wait');
    expect(captured.exitCode, captured.stderr).toBe(0);
    expect(captured.stdout).toMatch(
      /^podsnapshot.nvidia.com\/kept created\npodsnapshot.nvidia.com\/kept ready: \S+ MiB, frozen .+s$/,
    );
    const before = lastTick(await logsOf(bed, namespace, 'counter'))?.count ?? 0;
    await bed.waitFor(
      'the counter to count on',
      async () => {
        const tick = lastTick(await logsOf(bed, namespace, 'counter'));
        return (tick !== undefined && tick.count > before) || undefined;
      },
      30_000,
    );

    const listed = await kubectlCryopod('list', 'snapshots', '-o', 'wide');
    expect(listed.exitCode, listed.stderr).toBe(0);
    expect(listed.stdout).toMatch(/^kept +counter +node-a +Ready +\S+ MiB .* podsnapshotcontent-/m);
    const described = await kubectlCryopod('describe', 'kept');
    expect(described.stdout).toMatch(/^State: +Ready$/m);
    expect(described.stdout).toMatch(/^Node: +node-a, amd64, Linux .+, CRIU 4/m);
    expect(described.stdout).toMatch(/^Captured +Normal /m);
    expect(described.stdout).toMatch(/^freezing +/m);
    const waited = await kubectlCryopod('wait', 'kept', '--timeout', '30s', '-o', 'name');
    expect([waited.exitCode, waited.stdout]).toEqual([0, 'podsnapshot.nvidia.com/kept']);
    const half = ['__complete', 'delete', '-n', namespace, 'k'];
    const offered = await execa('cryopod', half, { env: environment() });
    expect(offered.stdout).toBe('kept\n:4');
  });

  it('restores it on the other node, where it counts on', async () => {
    const before = lastTick(await logsOf(bed, namespace, 'counter'));
    await bed.kubectl(['delete', 'pod', 'counter', '-n', namespace]);
    const words = ['restore', 'kept', '--name', 'again', '--pod-name', 'counter-again'];
    const restored = await kubectlCryopod(...words, '--to-node', 'node-b', '--wait');
    expect(restored.exitCode, restored.stderr).toBe(0);
    expect(restored.stdout).toMatch(/again restored as pod\/counter-again on node-b in .+s$/);
    const after = await waitForTick(bed, namespace, 'counter-again');
    expect(after.token).toBe(before?.token);
    const listed = await cryopod('list');
    expect(listed.stdout).toMatch(/^snapshot +kept +pod\/counter +node-a +Ready /m);
    expect(listed.stdout).toMatch(/^restore +again +snapshot\/kept +node-b +Restored /m);
    const described = await cryopod('describe', 'again');
    expect(described.stdout).toMatch(/^Pod: +counter-again \(UID /m);
    const waited = await cryopod('wait', 'restore/again', '-o', 'name');
    expect([waited.exitCode, waited.stdout]).toEqual([0, 'podrestore.cryopod.dev/again']);
  });

  it('deletes a snapshot with its bytes, and leaves a restored pod alone', async () => {
    const snapshot = await readSnapshot(bed, namespace, 'kept');
    const deleted = await cryopod('delete', 'kept', '--yes', '--wait');
    expect([deleted.exitCode, deleted.stdout], deleted.stderr).toEqual([
      0,
      'podsnapshot.nvidia.com/kept deleted',
    ]);
    expect(await readContent(bed, snapshot?.metadata.uid ?? '')).toBeUndefined();
    const store = join(bed.node('node-a').rootPath, 'var/lib/cryopod-store/snapshots', namespace);
    expect(await readdir(store).catch(() => [])).toEqual([]);
    expect((await kubectlCryopod('describe', 'kept')).exitCode).toBe(3);
    const gone = await kubectlCryopod('delete', 'again', '--wait');
    expect([gone.exitCode, gone.stdout]).toEqual([0, 'podrestore.cryopod.dev/again deleted']);
    await bed.kubectl(['get', 'pod', 'counter-again', '-n', namespace]);
  });
});
