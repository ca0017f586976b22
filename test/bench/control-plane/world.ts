import { join } from 'node:path';
import { inParallel } from '../../../agent/artifact/bounded.ts';
import { type Kind, kinds } from '../../../core/api/kinds.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import type { Bed } from '../../bed/bed.ts';
import { repositoryRoot } from '../../bed/images/recipes.ts';
import { Accounts, connect } from './accounts.ts';
import {
  namespace,
  oldContentObject,
  oldContentStatus,
  oldSnapshotObject,
  oldSnapshotStatus,
  podObject,
  runningStatus,
} from './objects.ts';

const never = new AbortController().signal;
/** Requests on their way at once while the world is being made. */
const parallel = 32;

/** The node of the object with this number. */
export const nodeOf = (nodes: readonly string[], index: number): string =>
  nodes[index % nodes.length] ?? '';

/** A cluster without kubelets, with all of deploy/ in it: its rights and its admission policies cost what they cost. */
export class ControlPlaneWorld {
  readonly nodes: readonly string[];
  readonly admin: ConnectedKube;
  /** The controller's service account, as its pod has it. */
  readonly controllerAccount: string;
  readonly #controller: ConnectedKube;
  readonly #agents: readonly Awaited<ReturnType<Accounts['agent']>>[];

  constructor(
    nodes: readonly string[],
    admin: ConnectedKube,
    controller: { readonly kube: ConnectedKube; readonly account: string },
    agents: readonly Awaited<ReturnType<Accounts['agent']>>[],
  ) {
    this.nodes = nodes;
    this.admin = admin;
    this.controllerAccount = controller.account;
    this.#controller = controller.kube;
    this.#agents = agents;
  }

  /** Names of nodes and the kubeconfigs of their agents, for inside the hub. */
  get agents(): readonly { readonly nodeName: string; readonly kubeconfigPath: string }[] {
    return this.nodes.map((nodeName, index) => ({
      nodeName,
      kubeconfigPath: this.#agents[index]?.hub ?? '',
    }));
  }

  /** Running pods `NAME-0`, `NAME-1`, ... spread over the nodes. */
  async pods(name: string, count: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, index) => index);
    await inParallel(parallel, numbers, never, async (index) => {
      const podName = `${name}-${index}`;
      await create(this.admin, kinds.pod, podObject(podName, nodeOf(this.nodes, index)));
      await status(this.admin, kinds.pod, namespace, podName, runningStatus(index));
    });
  }

  /** Captures that ended long ago: `count` snapshots and as many contents. */
  async rest(count: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, index) => index);
    const agents = await Promise.all(this.#agents.map(({ forwarder }) => connect(forwarder)));
    await inParallel(parallel, numbers, never, async (index) => {
      const node = nodeOf(this.nodes, index);
      const agent = agents[index % agents.length];
      const name = `old-${index}`;
      const snapshot = await create(this.admin, kinds.podSnapshot, oldSnapshotObject(name));
      const made = oldContentObject(snapshot, node);
      const content = await create(this.#controller, kinds.podSnapshotContent, made);
      const contentName = identityOf(content).name;
      if (agent === undefined) return;
      const ended = oldContentStatus(content, node);
      const done = await status(agent, kinds.podSnapshotContent, '', contentName, ended);
      const copied = oldSnapshotStatus(snapshot, done);
      await status(this.#controller, kinds.podSnapshot, namespace, name, copied);
    });
    for (const agent of agents) agent.close();
  }

  close(): void {
    this.admin.close();
    this.#controller.close();
  }
}

/** Creates an object of the bench. */
export const create = (kube: ConnectedKube, kind: Kind, object: RawObject): Promise<RawObject> =>
  kube.create(kind, object, { dryRun: false }, never);

function status(
  kube: ConnectedKube,
  kind: Kind,
  place: string,
  name: string,
  body: RawObject,
): Promise<RawObject> {
  const patch = { type: 'merge', body: { status: body } } as const;
  return kube.patch({ kind, namespace: place, name }, 'status', patch, never);
}

/** Installs the project into a bed without nodes and makes its accounts; `directory` keeps their kubeconfigs. */
export async function controlPlaneWorld(
  bed: Bed,
  agentCount: number,
  directory: string,
): Promise<ControlPlaneWorld> {
  const deploy = ['apply', '--server-side', '-k', join(repositoryRoot, 'deploy')];
  const kinds_ = ['get', 'podsnap,podsnapcontent,dckpt,snapjob', '-A'];
  for (const [what, words] of [
    ['deploy/ to be applied', deploy],
    ['the kinds to be served', kinds_],
  ] as const) {
    await bed.waitFor(what, () => bed.kubectl(words).catch(() => undefined), 60_000);
  }
  await bed.kubectl(['create', 'namespace', namespace]);
  // Where no controller manager runs nobody makes it, and no pod is admitted without one.
  await bed.kubectl(['create', 'serviceaccount', 'default', '-n', namespace]);
  const admin = await connect(bed.kubeconfigPath);
  const accounts = new Accounts(bed, admin, directory);
  const { kubeconfigPath, mounted } = await accounts.controller();
  const nodes = Array.from({ length: agentCount }, (_, index) => `node-${index}`);
  const agents = await Promise.all(nodes.map((node) => accounts.agent(node)));
  const controller = { kube: await connect(kubeconfigPath), account: mounted };
  return new ControlPlaneWorld(nodes, admin, controller, agents);
}
