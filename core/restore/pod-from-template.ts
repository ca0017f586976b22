import * as z from 'zod';
import { isOwnKey } from '../api/names.ts';
import type { PodRestoreOverrides } from '../api/pod-restore.ts';
import { placeholderCommand } from '../api/restore.ts';
import { withNamed } from '../pod-lists.ts';
import { withoutRestoreNodes } from './node-affinity.ts';
import { type ManifestContainer, type PodManifest, parsePodManifest } from './pod-manifest.ts';
import { raisedResources, resourceProblems } from './resource-override.ts';

/** What the new pod is called, and what it has other than the template. */
export type NewPod = {
  readonly name: string;
  readonly namespace: string;
  /** Cryopod's own; they win over everything. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly overrides: PodRestoreOverrides;
  /** Containers that the snapshot holds. */
  readonly captured: readonly string[];
};

/** A pod to create, or why there can be none: one sentence each. */
export type PodOfTemplate =
  | { readonly pod: PodManifest; readonly problems?: never }
  | { readonly pod?: never; readonly problems: readonly string[] };

/**
 * By these the controllers of Kubernetes know their pods, and take up one that has no owner: a ReplicaSet would count the restored pod, and delete
 * it as one too many.
 */
const controllerLabels: readonly string[] = [
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'controller-uid',
  'job-name',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
];
const isControllerLabel = (key: string): boolean =>
  controllerLabels.includes(key) || key.startsWith('batch.kubernetes.io/');

/** What the API server works out anew, what only a running pod has, and what a scheduler has done already. */
const droppedFields = [
  'nodeName',
  'priority',
  'preemptionPolicy',
  'schedulingGates',
  'ephemeralContainers',
] as const;

const marks = z.record(z.string(), z.string()).default({});
const metadataSchema = z.looseObject({ labels: marks, annotations: marks });
const resourcesSchema = z
  .looseObject({
    requests: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
    limits: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  })
  .prefault({});

const without = (
  record: Readonly<Record<string, string>>,
  drops: (key: string) => boolean,
): Record<string, string> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !drops(key)));

const resourcesOf = (container: ManifestContainer) => {
  const parsed = resourcesSchema.safeParse(container.resources ?? {});
  return parsed.success ? parsed.data : {};
};

/** What is asked for and cannot be. */
function obstacles(containers: readonly ManifestContainer[], wanted: NewPod): readonly string[] {
  const { env, resources } = wanted.overrides;
  const known = new Set(containers.map(({ name }) => name));
  const names = [...known].join(', ');
  const strangers = [...env, ...resources]
    .filter(({ container }) => !known.has(container))
    .map(
      ({ container }) =>
        `overrides name container ${container}, which the captured pod has not; it has: ${names}`,
    );
  const futile = env
    .filter(({ container }) => wanted.captured.includes(container))
    .map(
      ({ container, name }) =>
        `overrides.env sets ${name} in container ${container}, which was captured: a restored process keeps the environment that it had`,
    );
  const lower = resources.flatMap((one) => {
    const container = containers.find(({ name }) => name === one.container);
    return container === undefined
      ? []
      : resourceProblems(one.container, resourcesOf(container), one);
  });
  return [...new Set([...strangers, ...futile, ...lower])];
}

function overridden(container: ManifestContainer, { overrides }: NewPod): ManifestContainer {
  const more = overrides.resources.find((one) => one.container === container.name);
  const variables = overrides.env.filter((one) => one.container === container.name);
  let env = container.env;
  for (const { name, value } of variables) env = withNamed(env, { name, value });
  return {
    ...container,
    ...(env === undefined ? {} : { env }),
    ...(more === undefined ? {} : { resources: raisedResources(resourcesOf(container), more) }),
  };
}

/**
 * The captured pod anew, from the template that the controller kept of it: the same containers, volumes and service account under a new name. Pure. What ties
 * the captured pod to its node, to its controller and to its capture is left out.
 */
export function podFromTemplate(template: unknown, wanted: NewPod): PodOfTemplate {
  const parsed = parsePodManifest(template);
  const metadata = metadataSchema.safeParse(parsed.ok ? parsed.value.metadata : undefined);
  if (!parsed.ok || !metadata.success) {
    return { problems: ['what was kept of the captured pod is no pod template'] };
  }
  const { spec } = withoutRestoreNodes(parsed.value);
  const problems = obstacles(spec.containers, wanted);
  if (problems.length > 0) return { problems };
  const dropped: readonly string[] = droppedFields;
  const kept = Object.fromEntries(Object.entries(spec).filter(([key]) => !dropped.includes(key)));
  const selector = z.record(z.string(), z.string()).catch({}).parse(kept.nodeSelector);
  const nodeSelector = { ...selector, ...wanted.nodeSelector };
  const { labels, annotations } = metadata.data;
  return {
    pod: {
      metadata: {
        name: wanted.name,
        namespace: wanted.namespace,
        labels: {
          ...without(labels, (key) => isOwnKey(key) || isControllerLabel(key)),
          ...wanted.overrides.labels,
          ...wanted.labels,
        },
        annotations: {
          ...without(annotations, isOwnKey),
          ...wanted.overrides.annotations,
          ...wanted.annotations,
        },
      },
      spec: {
        ...kept,
        ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
        containers: spec.containers.map((container) => overridden(container, wanted)),
      },
    },
  };
}

/** Why the template cannot be started from the beginning; undefined where it can. */
export function coldProblem(template: unknown): string | undefined {
  const parsed = parsePodManifest(template);
  if (!parsed.ok) return 'what was kept of the captured pod is no pod template';
  const restored = parsed.value.spec.containers.find(
    ({ command }) => command?.join('\0') === placeholderCommand.join('\0'),
  );
  return restored === undefined
    ? undefined
    : `container ${restored.name} was itself restored when it was captured, and what it would run from the beginning is not kept`;
}
