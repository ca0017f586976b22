import { run } from '../../proc/run.ts';
import type { CaptureRequest } from '../backend.ts';
import type { TcpConnection } from '../facts.ts';
import { refuseConnections } from '../tcp-check.ts';
import { decisiveLines } from './log.ts';

/** What stands in the way of an order that wants connections saved, or none there. Nothing for one that has them closed. */
export async function tcpBlockers(
  { criuPath }: { readonly criuPath: string },
  tcp: CaptureRequest['tcp'],
  connections: readonly TcpConnection[],
  signal: AbortSignal,
): Promise<ReturnType<typeof refuseConnections>> {
  if (tcp === 'Close') return [];
  const lock = await run([criuPath, 'check', '--feature', lockFeature], { signal });
  const said = decisiveLines(`${lock.stdout}\n${lock.stderr}`).join('; ') || lock.why;
  const message = `tcp: ${tcp} needs nftables to hold connections still, which this node lacks: ${said}`;
  const refused = tcp === 'Refuse' ? refuseConnections(connections) : [];
  return [...(lock.ok ? [] : [{ check: 'tcp', message }]), ...refused];
}

const lockFeature = 'network_lock_nftables';
