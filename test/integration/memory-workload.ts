import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Bed } from '../bed/bed.ts';
import { busyboxImage } from '../bed/versions.ts';

/** Where a node has the compiled workload. */
const fixtures = '/opt/cryopod-fixtures';

/** Compiles test/fixtures/workloads/memory.c into a node. */
export async function installMemory(bed: Bed, node: string): Promise<void> {
  const target = join(bed.node(node).rootPath, fixtures);
  mkdirSync(target, { recursive: true });
  const source = join(import.meta.dirname, '../fixtures/workloads/memory.c');
  const argv = ['-O2', '-static', '-s', '-Wall', '-Wextra', '-Werror', '-o', `${target}/memory`];
  await execa('gcc', [...argv, source]);
}

/** Starts it as a pod of that name; resolves when its memory is filled, with what names its container. */
export async function startMemory(
  bed: Bed,
  node: string,
  name: string,
  arguments_: readonly string[],
): Promise<{ readonly containerID: string; readonly podUID: string }> {
  await bed.apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: {
        nodeName: node,
        terminationGracePeriodSeconds: 0,
        volumes: [{ name: 'fixtures', hostPath: { path: fixtures, type: 'Directory' } }],
        containers: [
          {
            name: 'main',
            image: busyboxImage,
            imagePullPolicy: 'Never',
            command: ['/fixtures/memory', ...arguments_],
            // The kernel writes the number of the processor into a process that registered for rseq: then no two dumps are equal.
            env: [{ name: 'GLIBC_TUNABLES', value: 'glibc.pthread.rseq=0' }],
            volumeMounts: [{ name: 'fixtures', mountPath: '/fixtures', readOnly: true }],
          },
        ],
      },
    }),
  );
  const ready = async () =>
    (await bed.kubectl(['logs', name]).catch(() => '')).includes('ready') || undefined;
  await bed.waitFor(`${name} to have filled its memory`, ready, 60_000);
  const path = '{.status.containerStatuses[0].containerID} {.metadata.uid}';
  const text = await bed.kubectl(['get', 'pod', name, '-o', `jsonpath=${path}`]);
  const [containerID = '', podUID = ''] = text.split(' ');
  return { containerID, podUID };
}
