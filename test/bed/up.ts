import { mkdir, writeFile } from 'node:fs/promises';
import { awaitApi, isApiReady } from './api-health.ts';
import { type BaseImages, baseImages } from './base-images.ts';
import { type KubernetesPrograms, kubernetesBinaries } from './binaries.ts';
import { createCertificates } from './certificates.ts';
import {
  type ControlPlaneRole,
  controlPlaneDaemon,
  hubKubeconfigPath,
  hubServer,
  programOfRole,
  writeAuditPolicy,
} from './control-plane.ts';
import { startForwarder } from './forwarder-start.ts';
import { kubeconfig } from './kubeconfig.ts';
import { loadArchive } from './load.ts';
import { checkMachine } from './machine.ts';
import { createHub, createNodeNetwork, nodeAddress, nodeName } from './network.ts';
import { bootNode, startNodeDaemon } from './node.ts';
import { type NodeTraits, writeNodeFiles } from './node-config.ts';
import { nodeRoot, programOfRoot } from './node-root.ts';
import { bedPaths } from './paths.ts';
import { isRunning, startDaemon } from './process.ts';
import { elapsed, type Log } from './progress.ts';
import { awaitNodesReady } from './readiness.ts';
import { type BedRecord, type BedState, currentBootId, readState, recordState } from './state.ts';
import { createStore } from './store.ts';
import { sweepBed } from './sweep.ts';

/** Whether the bed is complete, alive and answers. */
export async function isHealthy(bed: string): Promise<boolean> {
  const state = readState(bed);
  if (state?.phase !== 'up' || state.bootId !== currentBootId()) return false;
  return Object.values(state.processes).every(isRunning) && (await isApiReady(bed, state.port));
}

/** Makes a bed with so many nodes; the caller holds its lock and knows that it is not up. */
export async function makeBed(bed: string, nodeCount: number, log: Log): Promise<void> {
  const nodes = Array.from({ length: nodeCount }, (_, at) => nodeName(at + 1));
  const traits = await checkMachine();
  const kubernetes = await kubernetesBinaries(log); // first, as only this can lack what nobody installs
  const root = await nodeRoot(log);
  const programs = programWords(root, kubernetes);
  const images = await baseImages(root);
  await sweepBed(bed); // whatever an earlier run left
  const paths = bedPaths(bed);
  await mkdir(paths.logDirectory, { recursive: true });
  const record = recordState({
    name: bed,
    bootId: currentBootId(),
    phase: 'starting',
    port: 0,
    nodes,
    nodeRoot: root,
    programs,
    processes: {},
  });
  const identities = nodes.map((name, at) => ({ name, address: nodeAddress(at + 1) }));
  await allDone([createHub(bed), createCertificates(paths.pkiDirectory, identities)]);
  const time = elapsed();
  await allDone([
    startControlPlane(bed, record, nodes.length > 0).then(() =>
      log(`API server ready after ${time()}`),
    ),
    startNodes(bed, record, traits, images, log),
  ]);
  if (nodes.length > 0) {
    await allDone(nodes.map((node) => startNodeDaemon(bed, node, 'kubelet')));
    await awaitNodesReady(bed, record.now().port, nodes);
    log(`${nodes.join(', ')} ready after ${time()}`);
  }
  record.change({ phase: 'up' });
}

function programWords(root: string, kubernetes: KubernetesPrograms): BedState['programs'] {
  return {
    etcd: [...programOfRoot(root, 'etcd')],
    kubectl: [...programOfRoot(root, 'kubectl')],
    ...Object.fromEntries(Object.entries(kubernetes).map(([name, path]) => [name, [path]])),
  };
}

/** Starts one control plane program and remembers it. */
export async function startRole(
  bed: string,
  record: BedRecord,
  role: ControlPlaneRole,
): Promise<void> {
  const program = record.now().programs[programOfRole[role]];
  if (program === undefined) throw new Error(`bed ${bed} does not know its ${role}`);
  record.remember(role, await startDaemon(controlPlaneDaemon(bed, role, program)));
}

async function startControlPlane(
  bed: string,
  record: BedRecord,
  withControllers: boolean,
): Promise<void> {
  const paths = bedPaths(bed);
  await writeAuditPolicy(paths);
  await startRole(bed, record, 'etcd');
  await startRole(bed, record, 'apiserver');
  const forwarder = await startForwarder(bed, 0);
  record.remember('forwarder', forwarder.identity);
  record.change({ port: forwarder.port });
  const server = `https://127.0.0.1:${forwarder.port}`;
  const options = { mode: 0o600 };
  await writeFile(paths.kubeconfigPath, kubeconfig(server, paths.pkiDirectory, 'admin'), options);
  await awaitApiServer(bed, record);
  if (!withControllers) return;
  for (const role of ['kcm', 'scheduler'] as const) {
    const text = kubeconfig(hubServer, paths.pkiDirectory, role);
    await writeFile(hubKubeconfigPath(paths, role), text, options);
    await startRole(bed, record, role);
  }
}

/** Waits for the API server that the record knows. */
export async function awaitApiServer(bed: string, record: BedRecord): Promise<void> {
  const { port, processes } = record.now();
  const identity = processes.apiserver;
  await awaitApi(bed, port, () => identity !== undefined && isRunning(identity));
}

/** Boots all nodes side by side, up to containerd with its base images; the kubelets come later. */
async function startNodes(
  bed: string,
  record: BedRecord,
  traits: NodeTraits,
  images: BaseImages,
  log: Log,
): Promise<void> {
  const { nodes } = record.now();
  if (nodes.length === 0) return;
  if ((await createStore(bed)) === 'folder') {
    log('no loop devices: the shared store is a plain folder');
  }
  for (const node of nodes) await createNodeNetwork(bed, node);
  await allDone(
    nodes.map(async (node) => {
      await writeNodeFiles(bed, node, nodes.length, traits);
      await startNode(bed, record, node);
      for (const archive of [images.pause, images.busybox]) {
        await loadArchive(bed, [node], archive, () => undefined);
      }
    }),
  );
}

/** Boots one node whose files are written, and remembers it. */
export async function startNode(bed: string, record: BedRecord, node: string): Promise<void> {
  const { nodeRoot: root, programs } = record.now();
  const [kubelet] = programs.kubelet ?? [];
  if (kubelet === undefined) throw new Error(`bed ${bed} does not know its kubelet`);
  record.remember(node, await bootNode(bed, node, { nodeRoot: root, kubelet }));
}

/** Waits for all, also when one fails: nothing goes on behind the back of a failed `up`. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
