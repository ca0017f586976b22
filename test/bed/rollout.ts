import * as z from 'zod';

const count = z.number().int().default(0);
const workloads = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({ name: z.string(), generation: count }),
      spec: z.looseObject({ replicas: z.number().int().default(1) }),
      status: z
        .looseObject({
          observedGeneration: count,
          replicas: count,
          updatedReplicas: count,
          availableReplicas: count,
          desiredNumberScheduled: count,
          updatedNumberScheduled: count,
          numberAvailable: count,
        })
        .prefault({}),
    }),
  ),
});
type Workload = z.infer<typeof workloads>['items'][number];

/**
 * What is still to come until every Deployment and DaemonSet of a `kubectl get ... -o json` list runs its latest template; empty when all do.
 * `nodes` is how many nodes a DaemonSet has to cover.
 */
export function rolloutLeft(json: string, nodes: number): readonly string[] {
  return workloads.parse(JSON.parse(json)).items.flatMap((item) => {
    const left = item.kind === 'DaemonSet' ? daemonSetLeft(item, nodes) : deploymentLeft(item);
    return left === '' ? [] : [`${item.kind} ${item.metadata.name}: ${left}`];
  });
}

function daemonSetLeft({ metadata, status }: Workload, nodes: number): string {
  if (status.observedGeneration < metadata.generation) return 'not seen by its controller yet';
  if (status.desiredNumberScheduled < nodes) return `wanted on ${nodes} nodes`;
  if (status.updatedNumberScheduled < nodes)
    return `${status.updatedNumberScheduled}/${nodes} updated`;
  return status.numberAvailable < nodes ? `${status.numberAvailable}/${nodes} available` : '';
}

function deploymentLeft({ metadata, spec, status }: Workload): string {
  if (status.observedGeneration < metadata.generation) return 'not seen by its controller yet';
  if (status.updatedReplicas < spec.replicas) {
    return `${status.updatedReplicas}/${spec.replicas} updated`;
  }
  if (status.replicas > status.updatedReplicas) {
    return `${status.replicas - status.updatedReplicas} old ones left`;
  }
  return status.availableReplicas < spec.replicas
    ? `${status.availableReplicas}/${spec.replicas} available`
    : '';
}
