import { apiVersion, controlVolume } from '../../../core/api/names.ts';
import {
  type ShapedPlaceholder,
  shapePlaceholder,
} from '../../../core/restore/shape-placeholder.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';

/** What the objects of the canary depend on. */
export type Canary = {
  readonly namespace: string;
  /** Of the canary itself: has `sh` and `sleep`. */
  readonly image: string;
  /** With the static init that a placeholder runs. */
  readonly initImage: string;
};

/** Its one container. */
export const canaryContainer = 'canary';
/** Label of the namespace: which run of `doctor` made it. */
export const runLabel = 'cryopod.dev/doctor-run';

const labels = {
  'app.kubernetes.io/name': 'cryopod',
  'app.kubernetes.io/component': 'doctor',
} as const;

/** A namespace that takes restricted pods only, so that a canary that runs proves that such pods can be captured. */
export const canaryNamespace = (name: string, run: string): RawObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { ...labels, [runLabel]: run, 'pod-security.kubernetes.io/enforce': 'restricted' },
  },
});

/** A pod that waits, without any privilege, on a node. No scheduler is asked: the node is the one that is looked at. */
export const canaryPod = (
  { namespace, image }: Canary,
  name: string,
  nodeName: string,
): RawObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: {
    nodeName,
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    tolerations: [{ operator: 'Exists' }],
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532 },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumes: [{ name: controlVolume.name, emptyDir: {} }],
    containers: [
      {
        name: canaryContainer,
        image,
        imagePullPolicy: 'IfNotPresent',
        // TERM ends a shell only once its child has ended, which here is soon.
        command: ['sh', '-c', 'while :; do sleep 1; done'],
        resources: {
          requests: { cpu: '10m', memory: '32Mi' },
          limits: { memory: '128Mi' },
        },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        volumeMounts: [
          {
            name: controlVolume.name,
            mountPath: controlVolume.mountPath,
            subPath: canaryContainer,
          },
        ],
      },
    ],
  },
});

/** A snapshot of a canary. It goes with the namespace, and its artifact with it. */
export const canarySnapshot = (
  { namespace }: Canary,
  name: string,
  pod: string,
  deadlineSeconds: number,
): RawObject => ({
  apiVersion,
  kind: 'PodSnapshot',
  metadata: { name, namespace, labels },
  spec: {
    source: { podRef: { name: pod, containers: [canaryContainer] } },
    deletionPolicy: 'Delete',
    // A canary has no readiness probe, so it is ready once it runs.
    deadlineSeconds,
  },
});

/** The same pod as a placeholder of a snapshot, on a node. */
export function canaryPlaceholder(
  canary: Canary,
  name: string,
  snapshot: string,
  nodeName: string,
): ShapedPlaceholder {
  const pod = canaryPod(canary, name, nodeName);
  return shapePlaceholder(pod, {
    snapshotName: snapshot,
    containers: [canaryContainer],
    initImage: canary.initImage,
  });
}
