import { z } from 'zod';
import { apiGet } from './api-health.ts';
import { until } from './until.ts';

const nodeListSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ taints: z.array(z.object({ key: z.string() })).default([]) }),
      status: z.object({
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
});

/** Names of the nodes that take pods now: Ready, and no longer tainted by the controller manager. */
async function readyNodes(bed: string, port: number): Promise<readonly string[]> {
  const { body } = await apiGet(bed, port, '/api/v1/nodes');
  return nodeListSchema
    .parse(JSON.parse(body))
    .items.filter(
      ({ spec, status }) =>
        status.conditions.some((it) => it.type === 'Ready' && it.status === 'True') &&
        !spec.taints.some((it) => it.key.startsWith('node.kubernetes.io/')),
    )
    .map((it) => it.metadata.name);
}

/** Waits until every node takes pods and pods can be made in the namespace `default`. */
export async function awaitNodesReady(
  bed: string,
  port: number,
  nodes: readonly string[],
): Promise<void> {
  let ready: readonly string[] = [];
  await until(
    () => `node ${nodes.filter((it) => !ready.includes(it)).join(', ')} to be Ready`,
    async () => {
      ready = await readyNodes(bed, port);
      return nodes.every((it) => ready.includes(it)) ? true : undefined;
    },
    60_000,
  );
  await until(
    () => 'the service account of the namespace default',
    async () => {
      const path = '/api/v1/namespaces/default/serviceaccounts/default';
      return (await apiGet(bed, port, path)).status === 200 ? true : undefined;
    },
    30_000,
  );
}
