import { stringify } from 'yaml';

/** A pod of one container `main`, with the control volume and a grace period of 1 s. */
export function sourcePod(options: {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly nodeName?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
}): string {
  const control = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      volumes: [{ name: 'snapshot-control', emptyDir: {} }],
      containers: [
        {
          name: 'main',
          image: options.image,
          imagePullPolicy: 'Never',
          ...(options.command === undefined ? {} : { command: options.command }),
          env: [
            { name: 'SNAPSHOT_CONTROL_DIR', value: '/snapshot-control' },
            ...Object.entries(options.environment ?? {}).map(([name, value]) => ({ name, value })),
          ],
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          volumeMounts: [control],
        },
      ],
    },
  });
}

/** A PodSnapshot of container `main`; `extra` goes into the spec. */
export function snapshotOf(options: {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly containers?: readonly string[];
  readonly extra?: Readonly<Record<string, unknown>>;
}): string {
  return stringify({
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'PodSnapshot',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      source: { podRef: { name: options.pod, containers: options.containers ?? ['main'] } },
      ...options.extra,
    },
  });
}

/** A DynamoCheckpoint of the counter workload. */
export function counterCheckpoint(options: {
  readonly name: string;
  readonly namespace: string;
  readonly memoryMebibytes: number;
}): string {
  return stringify({
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'DynamoCheckpoint',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      job: {
        podTemplateSpec: {
          spec: {
            terminationGracePeriodSeconds: 1,
            restartPolicy: 'Never',
            containers: [
              {
                name: 'main',
                image: 'cryopod.dev/sample-counter:dev',
                imagePullPolicy: 'Never',
                env: [{ name: 'MEMORY_MEBIBYTES', value: String(options.memoryMebibytes) }],
              },
            ],
          },
        },
      },
    },
  });
}

/** A pod that a snapshot is restored into, as restore-from wants it. `change` breaks or bends it. */
export function placeholderPod(wanted: {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly snapshot: string;
  readonly nodeName: string;
  readonly change?: {
    readonly snapshot?: string;
    readonly command?: readonly string[];
    readonly restartPolicy?: string;
  };
}): string {
  const { change = {} } = wanted;
  const control = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: wanted.name,
      namespace: wanted.namespace,
      annotations: { 'nvidia.com/restore-from': change.snapshot ?? wanted.snapshot },
    },
    spec: {
      nodeName: wanted.nodeName,
      terminationGracePeriodSeconds: 1,
      restartPolicy: change.restartPolicy ?? 'Never',
      readinessGates: [{ conditionType: 'nvidia.com/Restored' }],
      volumes: [
        { name: 'snapshot-control', emptyDir: {} },
        { name: 'shared-memory', emptyDir: { medium: 'Memory' } },
      ],
      initContainers: [
        {
          name: 'cryopod-init',
          image: 'cryopod.dev/init:dev',
          imagePullPolicy: 'Never',
          args: ['copy', '/snapshot-control/init'],
          volumeMounts: [control],
        },
      ],
      containers: [
        {
          name: 'main',
          image: wanted.image,
          imagePullPolicy: 'Never',
          command: change.command ?? ['/snapshot-control/init'],
          startupProbe: {
            exec: { command: ['/snapshot-control/init', 'probe'] },
            periodSeconds: 1,
            failureThreshold: 600,
          },
          volumeMounts: [control, { name: 'shared-memory', mountPath: '/dev/shm' }],
        },
      ],
    },
  });
}
