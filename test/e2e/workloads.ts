import { stringify } from 'yaml';

/** A pod of one container `main`, with the control volume and a grace period of 1 s. */
export function sourcePod(options: {
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  readonly nodeName?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly readinessProbe?: object;
  /** Where an emptyDir of its own is mounted. */
  readonly emptyDirAt?: string;
  /** More of the container's spec. */
  readonly container?: Readonly<Record<string, unknown>>;
}): string {
  const control = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
  const own =
    options.emptyDirAt === undefined ? [] : [{ name: 'own', mountPath: options.emptyDirAt }];
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: options.name, namespace: options.namespace },
    spec: {
      ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
      terminationGracePeriodSeconds: 1,
      restartPolicy: 'Never',
      volumes: [
        { name: 'snapshot-control', emptyDir: {} },
        ...own.map(({ name }) => ({ name, emptyDir: {} })),
      ],
      containers: [
        {
          name: 'main',
          image: options.image,
          imagePullPolicy: 'Never',
          ...(options.command === undefined ? {} : { command: options.command }),
          ...(options.readinessProbe === undefined
            ? {}
            : { readinessProbe: options.readinessProbe }),
          env: [
            { name: 'SNAPSHOT_CONTROL_DIR', value: '/snapshot-control' },
            ...Object.entries(options.environment ?? {}).map(([name, value]) => ({ name, value })),
          ],
          securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
          volumeMounts: [control, ...own],
          ...options.container,
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

type Container = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly volumeMounts?: readonly object[];
};

/** A pod that a snapshot is restored into, as restore-from wants it: volumes and containers of the source, which run the init. */
export function placeholderPod(wanted: {
  readonly name: string;
  readonly namespace: string;
  readonly snapshot: string;
  readonly nodeName: string;
  readonly restartPolicy?: string;
  readonly volumes?: readonly object[];
  readonly containers: readonly Container[];
}): string {
  const control = (subPath: string) => ({
    name: 'snapshot-control',
    mountPath: '/snapshot-control',
    subPath,
  });
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: wanted.name,
      namespace: wanted.namespace,
      annotations: { 'nvidia.com/restore-from': wanted.snapshot },
    },
    spec: {
      nodeName: wanted.nodeName,
      terminationGracePeriodSeconds: 1,
      restartPolicy: wanted.restartPolicy ?? 'Never',
      readinessGates: [{ conditionType: 'nvidia.com/Restored' }],
      volumes: [{ name: 'snapshot-control', emptyDir: {} }, ...(wanted.volumes ?? [])],
      initContainers: wanted.containers.map(({ name }) => ({
        name: `init-${name}`,
        image: 'cryopod.dev/init:dev',
        imagePullPolicy: 'Never',
        args: ['copy', '/snapshot-control/init'],
        volumeMounts: [control(name)],
      })),
      containers: wanted.containers.map((container) => ({
        imagePullPolicy: 'Never',
        command: ['/snapshot-control/init'],
        startupProbe: {
          exec: { command: ['/snapshot-control/init', 'probe'] },
          periodSeconds: 1,
          failureThreshold: 600,
        },
        ...container,
        volumeMounts: [control(container.name), ...(container.volumeMounts ?? [])],
      })),
    },
  });
}
