import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import { shimCriuPath, shimDirectory } from './shim/prlimit.ts';

/** What a bed changes in deploy/. The revisions name the images' content: a new one makes new pods. */
export type OverlayOptions = {
  readonly controllerRevision: string;
  readonly agentRevision: string;
  readonly shim: boolean;
};

const revisionAnnotation = 'cryopod.dev/image-revision';

/** Strategic merge patches of a bed over deploy/. */
export function bedPatches(options: OverlayOptions): readonly object[] {
  const controller = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'cryopod-controller', namespace: 'cryopod-system' },
    spec: {
      template: {
        metadata: { annotations: { [revisionAnnotation]: options.controllerRevision } },
        spec: { containers: [{ name: 'controller', imagePullPolicy: 'Never' }] },
      },
    },
  };
  const container = {
    name: 'agent',
    imagePullPolicy: 'Never',
    env: [
      // The store of a bed is one directory for all its nodes.
      { name: 'CRYOPOD_STORE_SHARED', value: 'true' },
      ...(options.shim ? [{ name: 'CRYOPOD_CRIU_PATH', value: shimCriuPath }] : []),
    ],
    ...(options.shim
      ? {
          volumeMounts: [{ name: 'bed', mountPath: shimDirectory, readOnly: true }],
        }
      : {}),
  };
  const agent = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'cryopod-agent', namespace: 'cryopod-system' },
    spec: {
      updateStrategy: { rollingUpdate: { maxUnavailable: '100%' } },
      template: {
        metadata: { annotations: { [revisionAnnotation]: options.agentRevision } },
        spec: {
          containers: [container],
          ...(options.shim
            ? { volumes: [{ name: 'bed', hostPath: { path: shimDirectory, type: 'Directory' } }] }
            : {}),
        },
      },
    },
  };
  return [controller, agent];
}

/** Writes the overlay into `directory`, for `kubectl apply -k`. kustomize wants the base by a relative path. */
export async function writeOverlay(
  directory: string,
  deployDirectory: string,
  options: OverlayOptions,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [relative(directory, deployDirectory)],
    patches: bedPatches(options).map((patch) => ({ patch: stringify(patch) })),
  };
  await writeFile(join(directory, 'kustomization.yaml'), stringify(kustomization));
}
