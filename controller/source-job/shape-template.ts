import {
  annotations,
  artifactVersion,
  controlVolume,
  labels,
  sentinels,
} from '../../core/api/names.ts';
import { placeholderCommand } from '../../core/api/restore.ts';
import { samePath, withMount, withNamed } from '../../core/pod-lists.ts';
import { initContainer } from '../../core/restore/shape-placeholder.ts';
import type { PodTemplate, TemplateContainer } from './pod-template.ts';

/** What shaping is told by the object that wants the capture. */
export type TemplateOptions = {
  readonly targetContainerName: string;
  readonly checkpointID: string;
  readonly ownerUID: string;
  /** Further labels of the pod; those that a capture needs win over them, and they over the template's own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly readiness: 'Sentinel' | 'PodReady';
  /** The image with the static init. */
  readonly initImage: string;
  /** Size of /dev/shm, or undefined to leave it as the runtime makes it. */
  readonly sharedMemorySize: string | number | undefined;
};

const sharedMemoryVolume = 'snapshot-shared-memory';
const sharedMemoryPath = '/dev/shm';

const hasMountAt = (container: TemplateContainer, path: string): boolean =>
  (container.volumeMounts ?? []).some((mount) => samePath(mount.mountPath, path));

function shapedEnvironment(container: TemplateContainer): TemplateContainer['env'] {
  let environment = container.env;
  for (const name of controlVolume.environment) {
    environment = withNamed(environment, { name, value: controlVolume.mountPath });
  }
  // Go servers listen on MPTCP sockets by default, which CRIU cannot dump. A GODEBUG of the template stays as it is.
  return environment?.some((entry) => entry.name === 'GODEBUG')
    ? environment
    : withNamed(environment, { name: 'GODEBUG', value: 'multipathtcp=0' });
}

function shapedTarget(container: TemplateContainer, options: TemplateOptions): TemplateContainer {
  // Both probes would fire during the freeze or before the workload is warm, and have the kubelet kill what is being captured.
  const { livenessProbe: _liveness, startupProbe: _startup, ...kept } = container;
  const readiness =
    options.readiness === 'Sentinel'
      ? {
          readinessProbe: {
            // With a program that we bring along: the image may have none that could look for a file.
            exec: {
              command: [
                ...placeholderCommand,
                'exists',
                `${controlVolume.mountPath}/${sentinels.readyForSnapshot}`,
              ],
            },
            periodSeconds: 1,
          },
        }
      : {};
  const mounts = withMount(container.volumeMounts, {
    name: controlVolume.name,
    mountPath: controlVolume.mountPath,
    subPath: container.name,
  });
  const wantsSharedMemory =
    options.sharedMemorySize !== undefined && !hasMountAt(container, sharedMemoryPath);
  return {
    ...kept,
    ...readiness,
    env: shapedEnvironment(container),
    volumeMounts: wantsSharedMemory
      ? withMount(mounts, { name: sharedMemoryVolume, mountPath: sharedMemoryPath })
      : mounts,
  };
}

function shapedVolumes(template: PodTemplate, target: TemplateContainer, options: TemplateOptions) {
  // Always an emptyDir: a control volume of another kind would let a template point the agent at a host path.
  const volumes = withNamed(template.spec.volumes, { name: controlVolume.name, emptyDir: {} });
  if (options.sharedMemorySize === undefined || hasMountAt(target, sharedMemoryPath))
    return volumes;
  return withNamed(volumes, {
    name: sharedMemoryVolume,
    emptyDir: { medium: 'Memory', sizeLimit: options.sharedMemorySize },
  });
}

function shapedMetadata(template: PodTemplate, options: TemplateOptions): PodTemplate['metadata'] {
  const { metadata } = template;
  // Newer Istio reads the label and prefers it to the annotation; it is only overruled where the template carries it.
  const istio =
    metadata?.labels?.['sidecar.istio.io/inject'] === undefined
      ? {}
      : { 'sidecar.istio.io/inject': 'false' };
  return {
    ...metadata,
    labels: {
      ...metadata?.labels,
      ...istio,
      ...options.labels,
      [labels.checkpointSource]: 'true',
      [labels.checkpointID]: options.checkpointID,
      [labels.owner]: options.ownerUID,
    },
    annotations: {
      ...metadata?.annotations,
      // A sidecar that outlives the target would keep the Job from ever completing.
      'linkerd.io/inject': 'disabled',
      'sidecar.istio.io/inject': 'false',
      [annotations.targetContainers]: options.targetContainerName,
      [annotations.artifactVersion]: artifactVersion,
    },
  };
}

/**
 * The pod template as the source Job runs it. Pure and idempotent: shaping a shaped template changes nothing.
 * `undefined` when the template has no container of the target's name.
 */
export function shapeTemplate(
  template: PodTemplate,
  options: TemplateOptions,
): PodTemplate | undefined {
  const target = template.spec.containers.find(({ name }) => name === options.targetContainerName);
  if (target === undefined) return undefined;
  const pinned =
    template.spec.securityContext?.seccompProfile ?? target.securityContext?.seccompProfile;
  return {
    ...template,
    metadata: shapedMetadata(template, options),
    spec: {
      ...template.spec,
      restartPolicy: 'Never',
      // io_uring cannot be dumped. RuntimeDefault blocks it in current runtimes and exists on every node; a Localhost profile
      // would have to lie on the node beforehand or the pod could not start.
      ...(pinned === undefined
        ? {
            securityContext: {
              ...template.spec.securityContext,
              seccompProfile: { type: 'RuntimeDefault' },
            },
          }
        : {}),
      containers: template.spec.containers.map((container) =>
        container === target ? shapedTarget(container, options) : container,
      ),
      volumes: shapedVolumes(template, target, options),
      ...(options.readiness === 'Sentinel'
        ? {
            initContainers: withNamed(
              template.spec.initContainers,
              initContainer(template.spec.containers, {
                containers: [target.name],
                initImage: options.initImage,
              }),
            ),
          }
        : {}),
    },
  };
}
