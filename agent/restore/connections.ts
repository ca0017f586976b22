import type { Pod } from '../../core/api/workload.ts';
import type { ArtifactConfig } from '../artifact/config.ts';

/** What becomes of TCP connections that were saved. `why`: how a message says that some were closed. */
export type ConnectionPlan =
  | { readonly connections: 'Keep' }
  | { readonly connections: 'Close'; readonly why: string };

/**
 * By what the capture asked for. Of `Refuse` only connections between processes of the source over loopback are left, which have both their ends here.
 * Those that `Established` saved go on only where the pod has the address that the other side talks to. Pure.
 */
export function planConnections(
  { options, network }: Pick<ArtifactConfig, 'options' | 'network'>,
  pod: Pod,
): ConnectionPlan {
  const asked = options.tcp;
  if (asked === 'Refuse') return { connections: 'Keep' };
  if (asked !== 'Established') return { connections: 'Close', why: 'the capture asked for it' };
  const captured = network.podIPs;
  const now = pod.status.podIP;
  if (now !== undefined && captured.length > 0 && captured.every((address) => address === now)) {
    return { connections: 'Keep' };
  }
  const was = captured.join(', ') || 'unknown';
  return {
    connections: 'Close',
    why: `the address of the pod is ${now ?? 'unknown'} and was ${was}`,
  };
}
