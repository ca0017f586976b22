import { readFile } from 'node:fs/promises';
import { arch, cpus, release } from 'node:os';
import type { Pod } from '../../core/api/workload.ts';
import type { CaptureFacts } from './facts.ts';
import type { NodeFacts } from './status.ts';

/** Kubernetes' names of architectures, where Node's differ. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Facts about this node, for status. */
export const nodeFactsOf = (name: string): NodeFacts => ({
  name,
  architecture: architectures[arch()] ?? arch(),
  kernelVersion: release(),
  cpu: cpus()[0]?.model ?? 'unknown',
});

/** The kernel's random name of this boot. */
export const readBootID = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

/** What status and artifact keep of the pod: image as it ran, limits, network names. Taken once, at the capture. */
export function podFactsOf(
  pod: Pod,
  container: string,
): Pick<CaptureFacts, 'images' | 'limits' | 'network'> {
  const images = pod.status.containerStatuses
    .filter((status) => status.name === container)
    .map((status) => ({ container, image: status.image, imageID: status.imageID }));
  const limits = pod.spec.containers.find((spec) => spec.name === container)?.resources?.limits;
  const { hostname } = pod.spec;
  return {
    images,
    network: {
      hostname: typeof hostname === 'string' ? hostname : pod.metadata.name,
      podIPs: pod.status.podIP === undefined ? [] : [pod.status.podIP],
    },
    limits:
      limits === undefined
        ? {}
        : {
            [container]: Object.fromEntries(
              Object.entries(limits).map(([name, amount]) => [name, String(amount)]),
            ),
          },
  };
}
