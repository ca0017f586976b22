import * as z from 'zod';
import type { Pod } from '../../../core/api/workload.ts';

const contextSchema = z
  .looseObject({ runAsNonRoot: z.boolean().nullish() })
  .nullish()
  .catch(undefined);

/** Whether the kubelet would start no root process in a container; what the container says counts before what the pod says. */
export function mustNotBeRoot(pod: Pod, name: string): boolean {
  const container = pod.spec.containers.find((one) => one.name === name);
  const own = contextSchema.parse(container?.securityContext);
  const all = contextSchema.parse(pod.spec.securityContext);
  return own?.runAsNonRoot ?? all?.runAsNonRoot ?? false;
}
