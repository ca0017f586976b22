import * as z from 'zod';
import { annotations } from '../api/names.ts';
import type { Judged } from './candidates.ts';
import type { PodManifest } from './pod-manifest.ts';

const expressionSchema = z.looseObject({
  key: z.string().default(''),
  operator: z.string().default(''),
  values: z.array(z.string()).default([]),
});
type Expression = z.infer<typeof expressionSchema>;
const termSchema = z.looseObject({
  matchExpressions: z.array(expressionSchema).default([]),
  matchFields: z.array(z.unknown()).optional(),
});
const affinitySchema = z.looseObject({
  nodeAffinity: z
    .looseObject({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .looseObject({ nodeSelectorTerms: z.array(termSchema).default([]) })
        .optional(),
    })
    .optional(),
});
type Terms = readonly z.infer<typeof termSchema>[];

const hostnameLabel = 'kubernetes.io/hostname';
/** A pod with a longer list would be a burden to the scheduler; nodes beyond it are left to the gates of their agents. */
const longestList = 100;

/**
 * Which nodes a pod is for. Those that cannot take it are named rather than those that can, so that a node which joins later may have it; where they are
 * too many, those that can.
 */
export function nodesExpression(judged: readonly Judged[]): Expression | undefined {
  const excluded = judged.filter((one) => one.excluded).map(({ hostname }) => hostname);
  if (excluded.length === 0) return undefined;
  const fit = judged.filter(({ fits }) => fits).map(({ hostname }) => hostname);
  return excluded.length <= longestList
    ? { key: hostnameLabel, operator: 'NotIn', values: excluded }
    : { key: hostnameLabel, operator: 'In', values: fit.slice(0, longestList) };
}

/** As it stands in an annotation of the pod, by which it is known again. */
const textOf = ({ operator, values }: Expression): string => `${operator} ${values.join(',')}`;

/** The pod with the terms of its required node affinity changed; without the affinity where none are left. */
function withTerms(pod: PodManifest, change: (terms: Terms) => Terms): PodManifest {
  const parsed = affinitySchema.safeParse(pod.spec.affinity ?? {});
  const affinity = parsed.success ? parsed.data : {};
  const { requiredDuringSchedulingIgnoredDuringExecution: required, ...node } =
    affinity.nodeAffinity ?? {};
  const nodeSelectorTerms = change(required?.nodeSelectorTerms ?? []);
  const nodeAffinity =
    nodeSelectorTerms.length === 0
      ? node
      : {
          ...node,
          requiredDuringSchedulingIgnoredDuringExecution: { ...required, nodeSelectorTerms },
        };
  return { ...pod, spec: { ...pod.spec, affinity: { ...affinity, nodeAffinity } } };
}

/** The pod for these nodes only, beside all that it asks for itself: terms are alternatives, so each of them gets the nodes. Pure. */
export function onlyOnNodes(pod: PodManifest, nodes: Expression | undefined): PodManifest {
  if (nodes === undefined) return pod;
  const narrowed = withTerms(pod, (terms) =>
    (terms.length === 0 ? [{ matchExpressions: [] }] : terms).map((term) => ({
      ...term,
      matchExpressions: [...term.matchExpressions, nodes],
    })),
  );
  const { metadata } = narrowed;
  const marked = { ...metadata.annotations, [annotations.restoreNodes]: textOf(nodes) };
  return { ...narrowed, metadata: { ...metadata, annotations: marked } };
}

/** The pod without what an earlier restore said about its nodes: it was true of that restore only. Pure. */
export function withoutRestoreNodes(pod: PodManifest): PodManifest {
  const said = pod.metadata.annotations?.[annotations.restoreNodes];
  if (said === undefined) return pod;
  const isOurs = (one: Expression): boolean => one.key === hostnameLabel && textOf(one) === said;
  return withTerms(pod, (terms) =>
    terms
      .map((term) => ({
        ...term,
        matchExpressions: term.matchExpressions.filter((one) => !isOurs(one)),
      }))
      // A term without any expression would match no node.
      .filter((term) => term.matchExpressions.length > 0 || term.matchFields !== undefined),
  );
}
