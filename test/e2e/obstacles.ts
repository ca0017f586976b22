import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stringify } from 'yaml';
import type { Bed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';
import { runCliInProcess } from '../support/run-cli.ts';
import { logsOf } from './cluster.ts';

/** Where a node has the compiled workload; pods see it at /fixtures and share what they put there. */
const fixtures = '/opt/cryopod-fixtures';

/** Compiles test/fixtures/workloads/obstacle.c into a node. */
export async function installObstacle(bed: Bed, node: string): Promise<void> {
  const target = join(bed.node(node).rootPath, fixtures);
  await mkdir(target, { recursive: true });
  const source = join(import.meta.dirname, '../fixtures/workloads/obstacle.c');
  const argv = ['-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror', '-o', `${target}/obstacle`];
  await execa('gcc', [...argv, source]);
}

/** A pod whose container `main` runs it. */
export const obstaclePod = (options: {
  readonly name: string;
  readonly namespace: string;
  readonly nodeName: string;
  readonly words: readonly string[];
  readonly pod?: object;
  readonly container?: object;
}): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      nodeName: options.nodeName,
      terminationGracePeriodSeconds: 0,
      restartPolicy: 'Never',
      volumes: [{ name: 'fixtures', hostPath: { path: fixtures, type: 'Directory' } }],
      containers: [
        {
          name: 'main',
          image: busyboxImage,
          imagePullPolicy: 'Never',
          command: ['/fixtures/obstacle', ...options.words],
          volumeMounts: [{ name: 'fixtures', mountPath: '/fixtures' }],
          ...options.container,
        },
      ],
      ...options.pod,
    },
  });

/** The number it said last. */
export async function lastTickOf(bed: Bed, namespace: string, pod: string): Promise<number> {
  const log = await logsOf(bed, namespace, pod).catch(() => '');
  return Number([...log.matchAll(/^tick (\d+)$/gm)].at(-1)?.[1] ?? 0);
}

/** `cryopod explain` against the bed, answer as JSON. */
export async function explain(bed: Bed, words: readonly string[]) {
  const argv = ['explain', ...words, '-o', 'json', '--kubeconfig', bed.kubeconfigPath];
  const signal = AbortSignal.timeout(60_000);
  const { code, printed, complaints } = await runCliInProcess(argv, { signal });
  return { code, answer: printed === '' ? {} : JSON.parse(printed), complaints };
}
