import { annotations, controlVolume, sentinels } from '../api/names.ts';
import { placeholderCommand, restoredCondition } from '../api/restore.ts';
import { samePath, withMount, withNamed } from '../pod-lists.ts';
import { type ManifestContainer, type PodManifest, parsePodManifest } from './pod-manifest.ts';

/** What the shape depends on beside the pod. */
export type PlaceholderFacts = {
  /** The PodSnapshot, of the pod's own namespace. */
  readonly snapshotName: string;
  /** The containers that the snapshot holds. */
  readonly containers: readonly string[];
  /** The image with the static init. */
  readonly initImage: string;
};

/** A pod in placeholder form, or why there can be none: one sentence each. */
export type ShapedPlaceholder =
  | { readonly pod: PodManifest; readonly problems?: never }
  | { readonly pod?: never; readonly problems: readonly string[] };

/** The init container that puts the init into the control directories. */
export const initContainerName = 'cryopod-init';

/** How often the kubelet asks whether the process is restored: what the pod may lose before it is Ready. */
const probePeriodSeconds = 1;
/**
 * The kubelet ends a container whose startup probe has failed as often, and what follows counts as another attempt. A restore of hundreds of gigabytes
 * over a slow link must fit in; who waits for less has `deadlineSeconds` of a PodRestore.
 */
const probeFailures = 3600;
/** A node that is busy with a restore answers late, and a late answer is a failed one. */
const probeTimeoutSeconds = 10;

const startupProbe = {
  exec: { command: [...placeholderCommand, 'probe'] },
  periodSeconds: probePeriodSeconds,
  timeoutSeconds: probeTimeoutSeconds,
  failureThreshold: probeFailures,
};

/** Resources that an init container may ask for as well without the pod asking for more. */
const commonResources: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];

/**
 * A pod manifest as a placeholder that the snapshot is restored into. Pure and idempotent: shaping a shaped pod changes nothing. Of the containers that the
 * snapshot holds, command, startup probe and control directory are the init's; `postStart` goes, because it would run before the process is back, and so does a
 * readiness probe for `ready-for-snapshot`, which no restored process writes again. Their other probes stay: the startup probe holds them back. Init containers go,
 * because what they did is part of the snapshot, but for those that run on beside the others (restartPolicy Always), which are containers like any that the
 * snapshot does not hold: these stay as they are. Debugging containers go, because no pod is made with one.
 */
export function shapePlaceholder(raw: unknown, facts: PlaceholderFacts): ShapedPlaceholder {
  const parsed = parsePodManifest(raw);
  if (!parsed.ok) return { problems: [`the pod does not parse: ${parsed.message}`] };
  const manifest = parsed.value;
  const problems = obstacles(manifest, facts.containers);
  if (problems.length > 0) return { problems };
  const { ephemeralContainers: _debugging, ...spec } = manifest.spec;
  return {
    pod: {
      ...manifest,
      metadata: {
        ...manifest.metadata,
        annotations: {
          ...manifest.metadata.annotations,
          [annotations.restoreFrom]: facts.snapshotName,
        },
      },
      spec: {
        ...spec,
        readinessGates: withGate(spec.readinessGates),
        volumes: spec.volumes?.some(isControlVolume)
          ? spec.volumes
          : [...(spec.volumes ?? []), { name: controlVolume.name, emptyDir: {} }],
        initContainers: [
          initContainer(spec.containers, facts),
          ...(spec.initContainers ?? []).filter(runsOn),
        ],
        containers: spec.containers.map((container) =>
          facts.containers.includes(container.name) ? shapedTarget(container) : container,
        ),
      },
    },
  };
}

const isControlVolume = ({ name }: { readonly name: string }): boolean =>
  name === controlVolume.name;

const runsOn = (container: {
  readonly name: string;
  readonly restartPolicy?: string | undefined;
}) => container.restartPolicy === 'Always' && container.name !== initContainerName;

/** What cannot be mended without taking something from the pod that its owner wants. */
function obstacles({ spec }: PodManifest, targets: readonly string[]): readonly string[] {
  const problems: string[] = [];
  if (targets.length === 0) problems.push('the snapshot names no container');
  for (const field of ['hostPID', 'shareProcessNamespace'] as const) {
    if (spec[field] === true) problems.push(`spec.${field} is set: the init must be PID 1`);
  }
  const volume = spec.volumes?.find(isControlVolume);
  if (volume !== undefined && volume.emptyDir === undefined) {
    problems.push(`volume ${controlVolume.name} is no emptyDir`);
  }
  for (const name of targets) {
    const container = spec.containers.find((one) => one.name === name);
    if (container === undefined) {
      const names = spec.containers.map((one) => one.name).join(', ');
      problems.push(`there is no container ${name}, which the snapshot holds; there is: ${names}`);
    }
    const other = container?.volumeMounts?.find(
      (mount) => samePath(mount.mountPath, controlVolume.mountPath) && !isControlVolume(mount),
    );
    if (other !== undefined) {
      problems.push(
        `container ${name} mounts ${other.name} at ${controlVolume.mountPath}, where the control volume goes`,
      );
    }
  }
  const taken = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ];
  if (taken.some(({ name }) => name === initContainerName)) {
    problems.push(`a container is called ${initContainerName}, as the one that brings the init`);
  }
  return problems;
}

function withGate(gates: PodManifest['spec']['readinessGates']) {
  const before = gates ?? [];
  return before.some(({ conditionType }) => conditionType === restoredCondition)
    ? before
    : [...before, { conditionType: restoredCondition }];
}

function shapedTarget(container: ManifestContainer): ManifestContainer {
  const { args: _arguments, lifecycle, readinessProbe, ...kept } = container;
  const { postStart: _postStart, ...hooks } = lifecycle ?? {};
  const { name, mountPath, environment } = controlVolume;
  return {
    ...kept,
    command: [...placeholderCommand],
    // Whatever the pod or the image say: the init looks for its files there.
    env: withNamed(container.env, { name: environment[0], value: mountPath }),
    volumeMounts: withMount(container.volumeMounts, { name, mountPath, subPath: container.name }),
    startupProbe,
    ...(Object.keys(hooks).length === 0 ? {} : { lifecycle: hooks }),
    ...(readinessProbe === undefined || asksForSentinel(readinessProbe) ? {} : { readinessProbe }),
  };
}

const asksForSentinel = ({ exec }: NonNullable<ManifestContainer['readinessProbe']>): boolean =>
  exec?.command?.includes(`${controlVolume.mountPath}/${sentinels.readyForSnapshot}`) ?? false;

/** The init container that puts the init into the control directories of the targets, at the place that placeholderCommand names. */
export function initContainer(
  containers: readonly ManifestContainer[],
  { containers: targets, initImage }: Pick<PlaceholderFacts, 'containers' | 'initImage'>,
) {
  const directories = targets.map((target) => ({
    target,
    path: `${controlVolume.mountPath}/${target}`,
  }));
  const resources = commonOf(containers.find(({ name }) => name === targets[0])?.resources);
  return {
    name: initContainerName,
    image: initImage,
    args: ['copy', ...directories.map(({ path }) => `${path}/init`)],
    // The target's own, so that the pod asks for nothing more, keeps its quality of service, and passes where a quota wants every container to say.
    ...(resources === undefined ? {} : { resources }),
    // Passes where a namespace takes restricted pods only.
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: directories.map(({ target, path }) => ({
      name: controlVolume.name,
      mountPath: path,
      subPath: target,
    })),
  };
}

function commonOf(resources: ManifestContainer['resources']) {
  const kept = (['requests', 'limits'] as const).flatMap((kind) => {
    const entries = Object.entries(resources?.[kind] ?? {}).filter(([name]) =>
      commonResources.includes(name),
    );
    return entries.length === 0 ? [] : [[kind, Object.fromEntries(entries)] as const];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
