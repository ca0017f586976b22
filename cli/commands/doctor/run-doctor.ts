import { randomBytes, randomUUID } from 'node:crypto';
import * as z from 'zod';
import { inParallel } from '../../../agent/artifact/bounded.ts';
import { parseWith } from '../../../core/api/metadata.ts';
import { systemNamespace } from '../../../core/api/names.ts';
import { type Clock, systemClock } from '../../../core/clock.ts';
import { Failure, isFailure } from '../../../core/failure.ts';
import type { Kube } from '../../../runtime/kube-port.ts';
import type { KubeSession } from '../../kube-session.ts';
import { type AgentOfNode, findAgents, readAgentTemplate } from './agents.ts';
import { type Flight, flyCanary, type Neighbour } from './canary.ts';
import { type CanarySpace, withCanarySpace } from './canary-space.ts';
import { checkCluster } from './checks.ts';
import { clusterKinds } from './cluster-kinds.ts';
import { type Check, type NodeReport, type Report, reportOf, skipped } from './report.ts';

/** What `doctor` is asked to do. */
export type Wishes = {
  readonly canary: boolean;
  /** None: every node. */
  readonly nodes: readonly string[];
  readonly image?: string;
  readonly initImage?: string;
  /** Of each step of a canary. */
  readonly timeout: number;
};

const nodesAtOnce = 4;

/** Looks at the cluster, then lets a canary fly on every node. Removes what it made. */
export async function runDoctor(
  { kube, terminal }: KubeSession,
  wishes: Wishes,
  clock: Clock = systemClock,
): Promise<Report> {
  const { signal, errors } = terminal;
  const say = (text: string): void => void errors.write(`${text}\n`);
  const space: CanarySpace = {
    name: `cryopod-doctor-${randomBytes(4).toString('hex')}`,
    run: randomUUID(),
  };
  say('looking at rights, kinds, policies and the heartbeats of agents');
  const template = await readAgentTemplate(kube, signal);
  const [cluster, { agents: all, leader }] = await Promise.all([
    checkCluster(kube, wishes.canary ? space.name : undefined, signal),
    findAgents(kube, clock, template, signal),
  ]);
  const agents = chosen(all, wishes.nodes);
  const checks = [...cluster, controllerCheck(leader), agentsCheck(agents)];
  const image = wishes.image ?? template?.image;
  const grounded = groundedBy(cluster, wishes, image);
  if (grounded !== undefined) {
    return reportOf(
      checks,
      agents.map((agent) => notFlown(agent, grounded)),
    );
  }
  const initImage = wishes.initImage ?? (await findInitImage(kube, image ?? '', signal));
  const flight: Flight = {
    ...{ kube, clock, signal },
    canary: { namespace: space.name, image: image ?? '', initImage },
    withinMilliseconds: wishes.timeout,
    onProgress: (node, what) => say(`${node}: ${what}`),
  };
  const onLeft = (name: string): void => say(`namespace ${name} is being removed`);
  const nodes = await withCanarySpace({ kube, clock }, space, onLeft, signal, () =>
    flyOnAll(flight, agents, all),
  );
  return reportOf(checks, nodes);
}

function chosen(agents: readonly AgentOfNode[], names: readonly string[]): readonly AgentOfNode[] {
  const unknown = names.find((name) => agents.every(({ node }) => node !== name));
  if (unknown !== undefined) throw new Failure('gone', 'NotFound', `there is no node ${unknown}`);
  return names.length === 0 ? agents : agents.filter(({ node }) => names.includes(node));
}

const controllerCheck = (leader: string | undefined): Check =>
  leader === undefined
    ? {
        check: 'controller',
        outcome: 'failed',
        message: `nobody renews its lease: kubectl get pods -n ${systemNamespace}`,
      }
    : { check: 'controller', outcome: 'ok', message: `${leader} leads` };

function agentsCheck(agents: readonly AgentOfNode[]): Check {
  const wanted = agents.filter(({ state }) => state !== 'not wanted');
  const mute = wanted.filter(({ state }) => state !== 'alive');
  const check = 'agents';
  if (wanted.length === 0) return { check, outcome: 'failed', message: 'no node has an agent' };
  if (mute.length === 0) return { check, outcome: 'ok', message: `${wanted.length} alive` };
  const names = mute.map(({ node, state }) => `${node} (${state})`).join(', ');
  return {
    check,
    outcome: 'failed',
    message: `${wanted.length - mute.length} alive; not: ${names}`,
  };
}

/** Why no canary flies at all. */
function groundedBy(
  checks: readonly Check[],
  wishes: Wishes,
  image: string | undefined,
): string | undefined {
  if (!wishes.canary) return 'no canary was asked for';
  const needed = checks.find(
    ({ check, outcome }) => ['rights', 'kinds'].includes(check) && outcome === 'failed',
  );
  if (needed !== undefined) return `${needed.check}: ${needed.message}`;
  if (image === undefined) return 'the DaemonSet of the agents is not there: name an --image';
  return undefined;
}

function notFlown({ node, state }: AgentOfNode, why: string): NodeReport {
  const step = skipped(why);
  const steps = { capture: step, restoreHere: step, restoreElsewhere: step };
  return { node, agent: state, ...steps, reason: why };
}

async function flyOnAll(
  flight: Flight,
  agents: readonly AgentOfNode[],
  all: readonly AgentOfNode[],
): Promise<readonly NodeReport[]> {
  const reports = new Map<number, NodeReport>();
  await inParallel(nodesAtOnce, agents.entries(), flight.signal, async ([index, agent]) => {
    reports.set(
      index,
      agent.state === 'alive'
        ? await flyCanary(flight, agent, neighbourOf(all, agent), index)
        : notFlown(agent, groundOf(agent)),
    );
  });
  return agents.flatMap((_, index) => reports.get(index) ?? []);
}

const groundOf = ({ state, ready }: AgentOfNode): string => {
  if (state === 'not wanted') return 'its DaemonSet leaves this node out';
  const what = state === 'absent' ? 'its agent has never been heard' : 'its agent is silent';
  return ready ? what : `${what}, and the node is not Ready`;
};

/** The next living one, so that every node restores for another once; one that is known to see the same bytes is preferred. */
function neighbourOf(all: readonly AgentOfNode[], own: AgentOfNode): Neighbour | undefined {
  const at = all.indexOf(own);
  const others = [...all.slice(at + 1), ...all.slice(0, at)].filter(
    ({ state }) => state === 'alive',
  );
  const sharing = others.find(
    ({ sharedStore }) => sharedStore !== '' && sharedStore === own.sharedStore,
  );
  const found = sharing ?? others[0];
  return found === undefined ? undefined : { node: found.node, sharesStore: sharing !== undefined };
}

const deploymentSchema = z.object({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(
          z.looseObject({
            env: z
              .array(z.looseObject({ name: z.string(), value: z.string().optional() }))
              .default([]),
          }),
        ),
      }),
    }),
  }),
});

/** As the controller is told it; else what stands beside the agent's image. */
async function findInitImage(kube: Kube, agentImage: string, signal: AbortSignal): Promise<string> {
  const beside = agentImage.replace(/agent(?=[:@]|$)/, 'init').replace(/@.*$/, '');
  const name = 'cryopod-controller';
  const key = { kind: clusterKinds.deployment, namespace: systemNamespace, name };
  try {
    const parsed = parseWith(deploymentSchema, await kube.get(key, signal));
    const variables = parsed.ok
      ? parsed.value.spec.template.spec.containers.flatMap(({ env }) => env)
      : [];
    return variables.find((each) => each.name === 'CRYOPOD_INIT_IMAGE')?.value ?? beside;
  } catch (error) {
    if (isFailure(error, 'gone', 'terminal')) return beside;
    throw error;
  }
}
