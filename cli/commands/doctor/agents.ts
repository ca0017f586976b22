import * as z from 'zod';
import { kinds } from '../../../core/api/kinds.ts';
import { metadataSchema, parseWith } from '../../../core/api/metadata.ts';
import {
  agentLeaseName,
  annotations,
  controllerLeaseName,
  systemNamespace,
} from '../../../core/api/names.ts';
import { type Lease, parseLease } from '../../../core/api/workload.ts';
import { type Clock, sleep } from '../../../core/clock.ts';
import { isFailure } from '../../../core/failure.ts';
import type { Kube } from '../../../runtime/kube-port.ts';
import { clusterKinds } from './cluster-kinds.ts';
import type { AgentState } from './report.ts';

/** A node and whether its agent, which should be there where the DaemonSet says so, lives. */
export type AgentOfNode = {
  readonly node: string;
  readonly ready: boolean;
  readonly state: AgentState;
  /** What agents have in common that see the same bytes; '' where the store is the node's own. */
  readonly sharedStore: string;
};

/** Agents beat every 10 s, a controller more often; a second beat must come within this. */
const beatWithinMilliseconds = 25_000;
const lookEveryMilliseconds = 1000;
const pageLimit = 500;

const nodeSchema = z.object({
  metadata: metadataSchema,
  status: z
    .looseObject({
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
    })
    .prefault({}),
});
type Node = z.infer<typeof nodeSchema>;

const daemonSetSchema = z.object({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        nodeSelector: z.record(z.string(), z.string()).default({}),
        containers: z.array(z.looseObject({ image: z.string() })).min(1),
      }),
    }),
  }),
});

/** What the agents' DaemonSet says; undefined where it is not there or may not be read. */
export type AgentTemplate = {
  readonly image: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
};

/** The DaemonSet of the agents as deploy/ names it. */
export async function readAgentTemplate(
  kube: Kube,
  signal: AbortSignal,
): Promise<AgentTemplate | undefined> {
  const key = { kind: clusterKinds.daemonSet, namespace: systemNamespace, name: 'cryopod-agent' };
  try {
    const parsed = parseWith(daemonSetSchema, await kube.get(key, signal));
    if (!parsed.ok) return undefined;
    const { nodeSelector, containers } = parsed.value.spec.template.spec;
    return { nodeSelector, image: containers[0]?.image ?? '' };
  } catch (error) {
    if (isFailure(error, 'gone', 'terminal')) return undefined;
    throw error;
  }
}

/**
 * Every node with the state of its agent, and whether a controller leads. Who lives is found by a beat that changes while we look: no clock of
 * another machine is trusted.
 */
export async function findAgents(
  kube: Kube,
  clock: Clock,
  template: AgentTemplate | undefined,
  signal: AbortSignal,
): Promise<{ readonly agents: readonly AgentOfNode[]; readonly leader: string | undefined }> {
  const nodes = await readNodes(kube, signal);
  const wanted = nodes.filter((node) => isWanted(node, template));
  const names = [
    controllerLeaseName,
    ...wanted.map(({ metadata }) => agentLeaseName(metadata.name)),
  ];
  const first = await readLeases(kube, signal);
  const alive = new Set<string>();
  const giveUpAt = clock.monotonicMilliseconds() + beatWithinMilliseconds;
  let latest = first;
  while (
    names.some((name) => first.has(name) && !alive.has(name)) &&
    clock.monotonicMilliseconds() < giveUpAt
  ) {
    await sleep(clock, lookEveryMilliseconds, signal);
    latest = await readLeases(kube, signal);
    for (const [name, lease] of latest) {
      const before = first.get(name);
      if (before === undefined || stampOf(before) !== stampOf(lease)) alive.add(name);
    }
  }
  const stateOf = (node: Node): AgentState => {
    const name = agentLeaseName(node.metadata.name);
    if (alive.has(name)) return 'alive';
    if (!wanted.includes(node)) return 'not wanted';
    return latest.has(name) ? 'silent' : 'absent';
  };
  return {
    agents: nodes.map((node) => ({
      node: node.metadata.name,
      ready: node.status.conditions.some(
        ({ type, status }) => type === 'Ready' && status === 'True',
      ),
      state: stateOf(node),
      sharedStore:
        latest.get(agentLeaseName(node.metadata.name))?.metadata.annotations?.[
          annotations.sharedStore
        ] ?? '',
    })),
    leader: alive.has(controllerLeaseName)
      ? (latest.get(controllerLeaseName)?.spec.holderIdentity ?? undefined)
      : undefined,
  };
}

const stampOf = ({ metadata, spec }: Lease): string =>
  `${metadata.uid} ${spec.holderIdentity} ${spec.renewTime}`;

/** Without a DaemonSet to ask, every node that can run Linux pods. */
function isWanted({ metadata }: Node, template: AgentTemplate | undefined): boolean {
  const selector = template?.nodeSelector ?? { 'kubernetes.io/os': 'linux' };
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value);
}

async function readNodes(kube: Kube, signal: AbortSignal): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  for (let next = ''; ; ) {
    const page = await kube.list(
      { kind: kinds.node, limit: pageLimit, ...(next === '' ? {} : { continue: next }) },
      signal,
    );
    for (const raw of page.items) {
      const parsed = parseWith(nodeSchema, raw);
      if (parsed.ok) nodes.push(parsed.value);
    }
    next = page.continue;
    if (next === '') return nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }
}

async function readLeases(kube: Kube, signal: AbortSignal): Promise<ReadonlyMap<string, Lease>> {
  const leases = new Map<string, Lease>();
  for (let next = ''; ; ) {
    const page = await kube.list(
      {
        ...{ kind: kinds.lease, namespace: systemNamespace, limit: pageLimit },
        ...(next === '' ? {} : { continue: next }),
      },
      signal,
    );
    for (const raw of page.items) {
      const parsed = parseLease(raw);
      if (parsed.ok) leases.set(parsed.value.metadata.name, parsed.value);
    }
    next = page.continue;
    if (next === '') return leases;
  }
}
