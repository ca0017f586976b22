import { annotations } from '../../core/api/names.ts';
import type { Node } from '../../core/api/node.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import {
  type AgentSight,
  judgeNodes,
  noNodeFits,
  shownCandidates,
  tolerationsOf,
} from '../../core/restore/candidates.ts';
import { nodesExpression, onlyOnNodes } from '../../core/restore/node-affinity.ts';
import { coldProblem, podFromTemplate } from '../../core/restore/pod-from-template.ts';
import type { PodManifest } from '../../core/restore/pod-manifest.ts';
import { shapePlaceholder } from '../../core/restore/shape-placeholder.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { AgentBeats, AgentStore } from '../agent-beats.ts';
import type { Plan, Verdict } from './observed.ts';
import { marksOf, podNameOf } from './pod-view.ts';

/** What the plan of a pod is made from beside the PodRestore. */
export type PlanFacts = {
  readonly content: PodSnapshotContent;
  readonly nodes: readonly Node[];
  readonly beats: Pick<AgentBeats, 'living' | 'storeOf'>;
  readonly initImage: string;
};

const impossible = (reason: Verdict['reason'], message: string): Plan => ({
  state: 'impossible',
  verdict: { reason, message },
});

/** The containers that the content holds. */
const capturedOf = ({ spec, status }: PodSnapshotContent): readonly string[] =>
  spec.source.podRef?.containers ??
  status.source?.pod?.images.map(({ container }) => container) ??
  [];

/** The captured pod under its new name, as far as placeholder and cold start have it in common. */
function newPod(restore: PodRestore, content: PodSnapshotContent): PodManifest | Plan {
  const { template } = content.spec.source;
  if (template === undefined) {
    const message = `PodSnapshotContent ${content.metadata.name} keeps no pod template; write the pod by hand, with the annotation ${annotations.restoreFrom}.`;
    return impossible('NoTemplate', message);
  }
  const { nodeSelector, overrides } = restore.spec;
  const { pod, problems } = podFromTemplate(template, {
    ...marksOf(restore),
    name: podNameOf(restore),
    namespace: restore.metadata.namespace ?? '',
    ...{ nodeSelector, overrides },
    captured: capturedOf(content),
  });
  return pod ?? impossible('InvalidSpec', `${problems.join('; ')}.`);
}

const isPlan = (one: PodManifest | Plan): one is Plan => 'state' in one;

const asObject = (pod: PodManifest): RawObject => ({ apiVersion: 'v1', kind: 'Pod', ...pod });

/** Whether the agent of a node can read what was stored; undefined where it can, or nobody knows. */
function unreachable(
  content: PodSnapshotContent,
  node: string,
  { beats }: Pick<PlanFacts, 'beats'>,
): string | undefined {
  const { nodeName } = content.spec.source;
  const own = beats.storeOf(node);
  const stored = content.status.artifact?.store;
  if (own === undefined || node === nodeName) return undefined;
  if (stored !== undefined && own.name !== '' && own.name !== stored) {
    return `its agent serves the store ${own.name}, the artifact is in ${stored}`;
  }
  const source: AgentStore | undefined =
    nodeName === undefined ? undefined : beats.storeOf(nodeName);
  if (source === undefined) return undefined;
  if (source.sharedID === undefined) {
    return `the artifact is in the store of node ${nodeName} alone (CRYOPOD_STORE_SHARED is false there)`;
  }
  return own.sharedID === source.sharedID
    ? undefined
    : `its store is another one than that of node ${nodeName}`;
}

/** The placeholder, for the nodes that can take it. */
export function planPlaceholder(restore: PodRestore, snapshotUID: string, facts: PlanFacts): Plan {
  const { beats, content, initImage } = facts;
  const made = newPod(restore, content);
  if (isPlan(made)) return made;
  const { snapshotName, maxAttempts } = restore.spec;
  const { pod, problems } = shapePlaceholder(made, {
    ...{ snapshotName, initImage },
    containers: capturedOf(content),
  });
  if (pod === undefined) {
    return impossible(
      'InvalidSpec',
      `The captured pod fits no placeholder: ${problems.join('; ')}.`,
    );
  }
  const living = new Set(beats.living(() => true));
  const sightOf = (node: string): AgentSight => ({
    alive: living.has(node),
    unreachable: unreachable(content, node, facts),
  });
  const { nodeSelector = {}, tolerations } = pod.spec;
  const { architecture, kernelVersion } = content.status.source?.node ?? {};
  const judged = judgeNodes(
    facts.nodes.map((node) => ({ node, agent: sightOf(node.metadata.name) })),
    {
      ...{ architecture, kernelVersion },
      nodeSelector: nodeSelector as Readonly<Record<string, string>>,
      tolerations: tolerationsOf(tolerations),
    },
  );
  const left = Math.max(1, maxAttempts - (restore.status.attempts ?? 0));
  const placed = onlyOnNodes(pod, nodesExpression(judged));
  const marks = {
    [annotations.restoreFromUID]: snapshotUID,
    [annotations.restoreMaximumAttempts]: String(left),
    [annotations.targetContainers]: capturedOf(content).join(','),
  };
  const metadata = {
    ...placed.metadata,
    annotations: { ...placed.metadata.annotations, ...marks },
  };
  return {
    state: 'made',
    pod: asObject({ ...placed, metadata }),
    candidates: shownCandidates(judged),
    nowhere: judged.some(({ fits }) => fits) ? undefined : noNodeFits(judged),
  };
}

/** The captured pod from the beginning, with the reason where everybody looks. */
export function planCold(restore: PodRestore, content: PodSnapshotContent, why: Verdict): Plan {
  const made = newPod(restore, content);
  if (isPlan(made)) return made;
  const problem = coldProblem(content.spec.source.template);
  if (problem !== undefined) return impossible('NoTemplate', `${problem}.`);
  const annotated = {
    ...made.metadata.annotations,
    [annotations.startedCold]: `${why.reason}: ${why.message}`,
  };
  const metadata = { ...made.metadata, annotations: annotated };
  return {
    state: 'made',
    pod: asObject({ ...made, metadata }),
    candidates: [],
    nowhere: undefined,
  };
}
