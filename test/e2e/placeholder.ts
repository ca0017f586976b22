import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { placeholderCommand, restoredCondition } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';

const control = { name: 'snapshot-control', mountPath: '/snapshot-control' };

const named = z.looseObject({ name: z.string() });
const sourceSchema = z.object({
  metadata: z.looseObject({ namespace: z.string() }),
  spec: z.looseObject({
    volumes: z.array(named).default([]),
    containers: z.array(
      named.extend({ volumeMounts: z.array(named.extend({ mountPath: z.string() })).default([]) }),
    ),
  }),
});

/** The manifest of a pod that a snapshot is restored into: the source's, with what docs/restore.md asks of a placeholder. Every container is held. */
export function placeholderOf(
  source: string,
  wanted: { readonly name: string; readonly snapshot: string; readonly nodeName: string },
): string {
  const { metadata, spec } = sourceSchema.parse(parse(source));
  const { name, snapshot, nodeName } = wanted;
  const mount = (container: string) => ({ ...control, subPath: container });
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ name, namespace: metadata.namespace },
      annotations: { 'nvidia.com/restore-from': snapshot },
    },
    spec: {
      ...spec,
      nodeName,
      readinessGates: [{ conditionType: restoredCondition }],
      volumes: [
        ...spec.volumes.filter((volume) => volume.name !== control.name),
        { name: control.name, emptyDir: {} },
      ],
      initContainers: spec.containers.map((container) => ({
        name: `init-${container.name}`,
        image: 'cryopod.dev/init:dev',
        imagePullPolicy: 'Never',
        args: ['copy', ...placeholderCommand],
        volumeMounts: [mount(container.name)],
      })),
      containers: spec.containers.map(({ args: _args, ...container }) => ({
        ...container,
        command: placeholderCommand,
        startupProbe: {
          exec: { command: [...placeholderCommand, 'probe'] },
          periodSeconds: 1,
          failureThreshold: 600,
        },
        volumeMounts: [
          ...container.volumeMounts.filter(({ mountPath }) => mountPath !== control.mountPath),
          mount(container.name),
        ],
      })),
    },
  });
}

const restoreLimitMs = 180_000;

/** Waits until the agent has restored a pod, and returns what it says of that; throws with what it says when it has given up. */
export function waitForRestored(bed: Bed, namespace: string, pod: string): Promise<string> {
  let failed: string | undefined;
  return bed
    .waitFor(
      `${pod} to be restored`,
      async () => {
        const text = await bed.kubectl(['get', 'pod', pod, '-n', namespace, '-o', 'json']);
        const parsed = parsePod(JSON.parse(text));
        if (!parsed.ok) throw new Error(parsed.message);
        const found = parsed.value.status.conditions.find(({ type }) => type === restoredCondition);
        if (found?.reason === 'RestoreFailed' || found?.reason === 'RestoreIncompatible') {
          failed = `${pod}: ${found.reason}: ${found.message}`;
          return '';
        }
        return found?.status === 'True' ? String(found.message) : undefined;
      },
      restoreLimitMs,
    )
    .then((message) => {
      if (failed !== undefined) throw new Error(failed);
      return message;
    });
}
