import * as z from 'zod';
import type { Node } from '../api/node.ts';
import { type Candidate, mostCandidates } from '../api/pod-restore.ts';
import { isAtLeast } from './kernel-version.ts';

/** What a node must be to take a restore. Undefined is unknown, and unknown never refuses. */
export type Demands = {
  readonly architecture: string | undefined;
  readonly kernelVersion: string | undefined;
  /** Labels that the pod asks for. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** As the pod has them. */
  readonly tolerations: readonly Toleration[];
};

const tolerationSchema = z.object({
  key: z.string().optional(),
  operator: z.string().optional(),
  value: z.string().optional(),
  effect: z.string().optional(),
});
/** A core/v1 Toleration. */
export type Toleration = z.infer<typeof tolerationSchema>;

/** The tolerations of a pod's spec; none where they do not parse. */
export const tolerationsOf = (raw: unknown): readonly Toleration[] =>
  z.array(tolerationSchema).catch([]).parse(raw);

/** What is known of the agent of a node. */
export type AgentSight = {
  readonly alive: boolean;
  /** Whether it can read the artifact, and why not; undefined where it is not known. */
  readonly unreachable: string | undefined;
};

type Taint = Node['spec']['taints'][number];

const tolerates = ({ key, operator, value, effect }: Toleration, taint: Taint): boolean =>
  (effect === undefined || effect === '' || effect === taint.effect) &&
  (key === undefined || key === '' || key === taint.key) &&
  (operator === 'Exists' || (value ?? '') === (taint.value ?? ''));

/** The kubelet and the node controller put these there and take them away again. */
const isKeepingAway = ({ effect }: Taint): boolean =>
  effect === 'NoSchedule' || effect === 'NoExecute';

/** What the scheduler sees as well. */
function schedulerObstacles({ metadata, spec }: Node, demands: Demands): readonly string[] {
  const found: string[] = [];
  if (spec.unschedulable === true) found.push('it is cordoned');
  for (const [key, value] of Object.entries(demands.nodeSelector)) {
    const has = metadata.labels[key];
    if (has === value) continue;
    found.push(`its label ${key} is ${has ?? 'absent'}, asked for is ${value}`);
  }
  const taint = spec.taints.find(
    (one) => isKeepingAway(one) && !demands.tolerations.some((other) => tolerates(other, one)),
  );
  // A cordon is a taint too, and said already.
  if (taint !== undefined && spec.unschedulable !== true) {
    found.push(`the pod does not tolerate its taint ${taint.key}:${taint.effect}`);
  }
  return found;
}

/** What only we know. */
function ownObstacles({ status }: Node, agent: AgentSight, demands: Demands): readonly string[] {
  const { architecture, kernelVersion } = status.nodeInfo;
  const found: string[] = [];
  if (demands.architecture && architecture && demands.architecture !== architecture) {
    found.push(`it is ${architecture}, the captured pod ran on ${demands.architecture}`);
  }
  if (
    demands.kernelVersion &&
    kernelVersion &&
    isAtLeast(kernelVersion, demands.kernelVersion) === false
  ) {
    found.push(`its kernel ${kernelVersion} is older than the captured ${demands.kernelVersion}`);
  }
  if (!agent.alive) found.push('no agent of Cryopod is heard there');
  else if (agent.unreachable !== undefined) found.push(agent.unreachable);
  return found;
}

/** A node with what speaks for and against it. */
export type Sighted = { readonly node: Node; readonly agent: AgentSight };

/** A node as judged. */
export type Judged = Candidate & {
  /** How a pod names it in an affinity. */
  readonly hostname: string;
  /** It has an obstacle that the scheduler does not see. */
  readonly excluded: boolean;
};

const longestReason = 1024;

/** Every node with its reasons, those that fit first, each sort by name. Pure. */
export function judgeNodes(nodes: readonly Sighted[], demands: Demands): readonly Judged[] {
  const judged = nodes.map(({ node, agent }): Judged => {
    const own = ownObstacles(node, agent, demands);
    const reasons = [...schedulerObstacles(node, demands), ...own];
    const reason = reasons.join('; ').slice(0, longestReason).toWellFormed();
    const { name, labels } = node.metadata;
    return {
      node: name,
      fits: reasons.length === 0,
      ...(reason && { reason }),
      hostname: labels['kubernetes.io/hostname'] ?? name,
      excluded: own.length > 0,
    };
  });
  return judged.toSorted((left, right) =>
    left.fits === right.fits ? (left.node < right.node ? -1 : 1) : left.fits ? -1 : 1,
  );
}

/** What a status shows of them: as many as it takes. */
export const shownCandidates = (judged: readonly Judged[]): readonly Candidate[] =>
  judged
    .slice(0, mostCandidates)
    .map(({ node, fits, reason }) => ({ node, fits, ...(reason && { reason }) }));

/** Why no node fits, for a message: the first few, by name. */
export function noNodeFits(candidates: readonly Candidate[]): string {
  if (candidates.length === 0) return 'No node is known.';
  const few = candidates.slice(0, 5).map(({ node, reason }) => `${node}: ${reason ?? ''}`);
  const more = candidates.length - few.length;
  const rest = more > 0 ? `; and ${more} more` : '';
  return `No node can take it. ${few.join('; ')}${rest}.`;
}
