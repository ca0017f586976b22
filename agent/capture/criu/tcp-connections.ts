import { parseConnections } from '../../proc/net-text.ts';
import { readProc } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';
import type { CaptureRequest } from '../backend.ts';
import type { ProcessFacts } from '../facts.ts';
import { refuseConnections, type TcpConnection } from '../tcp-check.ts';
import { decisiveLines } from './log.ts';

/** The established connections of these processes: the rows of their network's tables whose sockets they hold. */
export async function findConnections(
  procRoot: string,
  pid: number,
  processes: readonly ProcessFacts[],
): Promise<readonly TcpConnection[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readProc(`${procRoot}/${pid}/net/${name}`)),
  );
  const rows = tables.flatMap((table) => parseConnections(table ?? ''));
  return rows.flatMap(({ inode, local, remote }) => {
    const holder = processes
      .flatMap(({ pid, command, descriptors }) =>
        descriptors.map((one) => ({ ...one, pid, command })),
      )
      .find(({ target }) => target === `socket:[${inode}]`);
    if (holder === undefined) return [];
    const { command, fd } = holder;
    return [{ pid: holder.pid, command, fd, local, remote }];
  });
}

/** What stands in the way of an order that wants connections saved, or none there. Nothing for one that has them closed. */
export async function tcpBlockers(
  options: { readonly procRoot: string; readonly criuPath: string },
  request: Pick<CaptureRequest, 'containers' | 'tcp'>,
  processes: readonly ProcessFacts[],
  signal: AbortSignal,
): Promise<ReturnType<typeof refuseConnections>> {
  const { tcp, containers } = request;
  // All containers of a pod have one network.
  const [first] = containers;
  if (tcp === 'Close') return [];
  const lock = await run([options.criuPath, 'check', '--feature', lockFeature], { signal });
  const said = decisiveLines(`${lock.stdout}\n${lock.stderr}`).join('; ') || lock.why;
  const message = `tcp: ${tcp} needs nftables to hold connections still, which this node lacks: ${said}`;
  const found =
    tcp === 'Refuse' && first !== undefined
      ? await findConnections(options.procRoot, first.root.pid, processes)
      : [];
  return [...(lock.ok ? [] : [{ check: 'tcp', message }]), ...refuseConnections(found)];
}

const lockFeature = 'network_lock_nftables';
