import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { restoredCondition } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import { shapePlaceholder } from '../../core/restore/shape-placeholder.ts';
import type { Bed } from '../bed/bed.ts';

const sourceSchema = z.object({
  metadata: z.object({ namespace: z.string() }),
  spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string() })) }),
});

/** The manifest of a pod that a snapshot of all containers of a source is restored into. */
export function placeholderOf(
  source: string,
  wanted: { readonly name: string; readonly snapshot: string; readonly nodeName: string },
): string {
  const { metadata, spec } = sourceSchema.parse(parse(source));
  const { name, snapshot, nodeName } = wanted;
  const { namespace } = metadata;
  const shaped = shapePlaceholder(
    { metadata: { name, namespace }, spec: { ...spec, nodeName } },
    {
      snapshotName: snapshot,
      containers: spec.containers.map((container) => container.name),
      initImage: 'cryopod.dev/init:dev',
    },
  );
  if (shaped.problems !== undefined) throw new Error(shaped.problems.join('; '));
  return stringify({ apiVersion: 'v1', kind: 'Pod', ...shaped.pod });
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
