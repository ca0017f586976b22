import { controlPlaneRoles, isControlPlaneRole } from './control-plane.ts';
import { startForwarder } from './forwarder-start.ts';
import {
  type NodeDaemon,
  nodeDaemons,
  runningInit,
  signalNodeDaemon,
  startNodeDaemon,
} from './node.ts';
import { awaitEnd, identify, isRunning, signalProcess } from './process.ts';
import { type BedState, readState, recordState } from './state.ts';
import { awaitApiServer, startNode, startRole } from './up.ts';

/** A part of a bed that can be killed and started. */
type Part =
  | { readonly kind: 'daemon'; readonly daemon: NodeDaemon; readonly node: string }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'process'; readonly role: string };

/** Understands `apiserver`, `forwarder`, `node-a`, `kubelet@node-a`, ...; throws with what there is. */
export function parsePart(what: string, nodes: readonly string[]): Part {
  const [first = '', node] = what.split('@');
  const daemon = nodeDaemons.find((it) => it === first);
  if (daemon !== undefined && node !== undefined && nodes.includes(node)) {
    return { kind: 'daemon', daemon, node };
  }
  if (node === undefined && nodes.includes(first)) return { kind: 'node', node: first };
  if (node === undefined && (isControlPlaneRole(first) || first === 'forwarder')) {
    return { kind: 'process', role: first };
  }
  const known = [
    ...controlPlaneRoles,
    'forwarder',
    ...nodes,
    ...nodes.flatMap((it) => nodeDaemons.map((part) => `${part}@${it}`)),
  ];
  throw new Error(`'${what}' is no part of this bed; there is ${known.join(', ')}`);
}

function stateOf(bed: string): BedState {
  const state = readState(bed);
  if (state === undefined)
    throw new Error(`there is no bed ${bed}: npm run bed -- up --name ${bed}`);
  return state;
}

/**
 * Signals a part of a bed. After SIGKILL and SIGTERM of a process, or SIGKILL of a node, it
 * is gone when this resolves. Throws when the part does not run.
 */
export async function killPart(bed: string, what: string, signal: string): Promise<void> {
  const state = stateOf(bed);
  const part = parsePart(what, state.nodes);
  if (part.kind === 'daemon') {
    if (await signalNodeDaemon(bed, part.node, part.daemon, signal)) return;
    throw new Error(`${what} of bed ${bed} does not run`);
  }
  if (part.kind === 'node') return powerOff(state, part.node, signal);
  const identity = state.processes[part.role];
  if (identity === undefined || !signalProcess(identity, asSignal(signal))) {
    throw new Error(`${what} of bed ${bed} does not run`);
  }
  if (signal === 'SIGKILL' || signal === 'SIGTERM') await awaitEnd([identity], 60_000);
}

/** Ends a node as a power cut would: the kernel kills all in it when its first process dies. */
async function powerOff(state: BedState, node: string, signal: string): Promise<void> {
  if (signal !== 'SIGKILL') throw new Error(`a whole node takes SIGKILL only, not ${signal}`);
  const holder = state.processes[node];
  const first = identify(runningInit(state.name, node));
  if (holder !== undefined) signalProcess(holder, 'SIGKILL');
  signalProcess(first, 'SIGKILL');
  await awaitEnd(holder === undefined ? [first] : [first, holder], 60_000);
}

const signals = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGSTOP', 'SIGCONT', 'SIGHUP'] as const;

function asSignal(name: string): (typeof signals)[number] {
  const found = signals.find((it) => it === name || it === `SIG${name}`);
  if (found === undefined) throw new Error(`no signal '${name}'; one of ${signals.join(', ')}`);
  return found;
}

/** Starts a part that was killed: the same data, addresses and port. The API server is ready then. */
export async function startPart(bed: string, what: string): Promise<void> {
  const state = stateOf(bed);
  const part = parsePart(what, state.nodes);
  if (part.kind === 'daemon') return startNodeDaemon(bed, part.node, part.daemon);
  const role = part.kind === 'node' ? part.node : part.role;
  const running = state.processes[role];
  if (running !== undefined && isRunning(running)) throw new Error(`${what} runs already`);
  const record = recordState(state);
  if (part.kind === 'node') {
    await startNode(bed, record, part.node);
    await startNodeDaemon(bed, part.node, 'kubelet');
  } else if (isControlPlaneRole(part.role)) {
    await startRole(bed, record, part.role);
    if (part.role === 'apiserver') await awaitApiServer(bed, record);
  } else {
    record.remember('forwarder', (await startForwarder(bed, state.port)).identity);
  }
}
