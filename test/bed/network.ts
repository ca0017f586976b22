import { readdir } from 'node:fs/promises';
import { attempt, run } from './command.ts';
import { netnsName } from './paths.ts';

/** Service address of the API server; simply an address of the hub, as there is no kube-proxy. */
export const apiServiceAddress = '198.19.0.1';
/** Services get addresses from here; nothing routes them. */
export const serviceRange = '198.19.0.0/24';
/** A DNS address that nobody answers: lookups in pods fail at once instead of leaving the bed. */
export const dnsServiceAddress = '198.19.0.10';
/** Address of the hub on the nodes' wire. */
export const hubAddress = '198.18.0.1';

// 198.18.0.0/15 is set aside for benchmarks (RFC 2544) and exists only inside the bed's namespaces.
/** Address of the node with this index (from 1). */
export const nodeAddress = (index: number): string => `198.18.0.${10 + index}`;
/** Pods of the node with this index. */
export const podRange = (index: number): string => `198.18.${index}.0/24`;

/** Name of the node with this index: node-a, node-b, ... */
export function nodeName(index: number): string {
  if (index < 1 || index > 26) throw new Error(`a bed has up to 26 nodes, not ${index}`);
  return `node-${String.fromCharCode(96 + index)}`;
}

/** Index of a node name, the inverse of {@link nodeName}. */
export const nodeIndex = (name: string): number => name.charCodeAt(name.length - 1) - 96;

async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await run(['ip', '-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

const forwarding = 'echo 1 > /proc/sys/net/ipv4/ip_forward';

/** Makes the namespace of the control plane with its bridge. */
export async function createHub(bed: string): Promise<void> {
  const hub = netnsName(bed, 'hub');
  await run(['ip', 'netns', 'add', hub]);
  await ipBatch(hub, [
    'link set lo up',
    `addr add ${apiServiceAddress}/32 dev lo`,
    'link add br0 type bridge',
    `addr add ${hubAddress}/24 dev br0`,
    'link set br0 up',
  ]);
  // /proc/sys/net shows the namespace of the process that looks, so this touches the hub alone.
  await run(['ip', 'netns', 'exec', hub, 'sh', '-c', forwarding]);
}

/** Makes a node's namespace and its wire to the hub; no end of it ever lies in the host. */
export async function createNodeNetwork(bed: string, node: string): Promise<void> {
  const index = nodeIndex(node);
  const hub = netnsName(bed, 'hub');
  const own = netnsName(bed, node);
  await run(['ip', 'netns', 'add', own]);
  await ipBatch(hub, [
    `link add ${node} type veth peer name eth0 netns ${own}`,
    `link set ${node} master br0`,
    `link set ${node} up`,
  ]);
  await ipBatch(own, [
    'link set lo up',
    `addr add ${nodeAddress(index)}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${hubAddress}`,
  ]);
  await ipBatch(hub, [`route add ${podRange(index)} via ${nodeAddress(index)}`]);
  await run(['ip', 'netns', 'exec', own, 'sh', '-c', forwarding]);
}

/** Names of the network namespaces of a bed that exist now. */
export async function bedNamespaces(bed: string): Promise<readonly string[]> {
  const names = await readdir('/run/netns').catch(() => []);
  const prefix = netnsName(bed, '');
  return names.filter(
    (it) => it.startsWith(prefix) && /^(hub|node-[a-z])$/.test(it.slice(prefix.length)),
  );
}

/** Pids of all processes in the network namespaces of a bed. */
export async function bedNamespaceProcesses(bed: string): Promise<readonly number[]> {
  const names = await bedNamespaces(bed);
  const texts = await Promise.all(names.map((it) => attempt(['ip', 'netns', 'pids', it], {})));
  return texts.flatMap((it) => it.stdout.split('\n').filter(Boolean).map(Number));
}

/** Removes the bed's network namespaces; the wires go with them. */
export async function removeBedNetwork(bed: string): Promise<void> {
  for (const name of await bedNamespaces(bed)) await run(['ip', 'netns', 'del', name]);
}
