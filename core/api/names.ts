/** Names shared by controller, agent and workloads. Keys are those of NVIDIA Dynamo's snapshot API. */
export const group = 'nvidia.com';
/** Version of all own kinds. */
export const version = 'v1alpha1';
/** `apiVersion` of all own kinds. */
export const apiVersion = `${group}/${version}`;
/** Group and version of the kinds that Dynamo's API does not have. */
export const extensionGroup = 'cryopod.dev';
/** `apiVersion` of those. */
export const extensionApiVersion = `${extensionGroup}/${version}`;
/** Where controller, agents and their Leases live. */
export const systemNamespace = 'cryopod-system';

/** Label keys. */
export const labels = {
  node: 'nvidia.com/snapshot-node',
  checkpointSource: 'nvidia.com/snapshot-is-checkpoint-source',
  captureEligible: 'nvidia.com/snapshot-capture-eligible',
  checkpointID: 'nvidia.com/snapshot-checkpoint-id',
  owner: 'nvidia.com/snapshot-owner',
  /** Name of the SnapshotJob that something belongs to. */
  snapshotJob: 'nvidia.com/snapshot-job',
  /** UID of that SnapshotJob; on the snapshot of a DynamoCheckpoint, of the batch/v1 Job of its attempt. */
  jobUID: 'nvidia.com/snapshot-job-uid',
  /** On a pod that a PodRestore made: the UID of that PodRestore. */
  restoreUID: 'nvidia.com/restore-uid',
  /** `true` on the heartbeat Leases of agents: one watch finds them among all Leases. */
  heartbeat: 'nvidia.com/snapshot-agent-heartbeat',
} as const;

/** Annotation keys. */
export const annotations = {
  targetContainers: 'nvidia.com/snapshot-target-containers',
  artifactVersion: 'nvidia.com/snapshot-artifact-version',
  restoreFrom: 'nvidia.com/restore-from',
  /** UID of that PodSnapshot: another one of the name is never restored from. */
  restoreFromUID: 'nvidia.com/restore-from-uid',
  /** How many containers of the pod may be restored into, one after the other. */
  restoreMaximumAttempts: 'nvidia.com/restore-max-attempts',
  /** Which nodes the restore of the pod allowed or ruled out, as its affinity says it. */
  restoreNodes: 'nvidia.com/restore-nodes',
  /** Name of the PodRestore that made the pod. */
  restoreName: 'nvidia.com/restore-name',
  /** On a pod that was started afresh because its restore failed, as was asked for: why. */
  startedCold: 'nvidia.com/restore-started-cold',
  /** On a heartbeat Lease: the name of the agent's store, as `spec.source.artifact.store` of a content says it. */
  store: 'nvidia.com/snapshot-store',
  /** On a heartbeat Lease: what agents have in common that see the same bytes; '' where the store is the node's own. */
  sharedStore: 'nvidia.com/snapshot-shared-store',
} as const;

/** Finalizers: the controller removes them. */
export const finalizers = {
  snapshot: 'nvidia.com/podsnapshotcontent-cleanup',
  content: 'nvidia.com/podsnapshotcontent-artifact-cleanup',
  restore: 'nvidia.com/podrestore-cleanup',
} as const;

/** The emptyDir through which agent and workload talk, and the variables that tell the workload where it is. */
export const controlVolume = {
  name: 'snapshot-control',
  mountPath: '/snapshot-control',
  environment: ['SNAPSHOT_CONTROL_DIR', 'DYN_SNAPSHOT_CONTROL_DIR'],
} as const;

/** File names in the control volume. */
export const sentinels = {
  readyForSnapshot: 'ready-for-snapshot',
  snapshotComplete: 'snapshot-complete',
  snapshotFailed: 'snapshot-failed',
  restoreComplete: 'restore-complete',
  restoreFailed: 'restore-failed',
} as const;

/** The only artifact version there is; part of Job names (upstream's convention). */
export const artifactVersion = '1';

/** Name of the content of a snapshot: unique for one incarnation of the snapshot. */
export const contentName = (snapshotUID: string): string => `podsnapshotcontent-${snapshotUID}`;

/** Lease that makes one process the capturer of a content, in the system namespace. */
export const captureLeaseName = (contentUID: string): string => `podsnapshot-${contentUID}`;

/** Heartbeat Lease of the agent of a node, in the system namespace. */
export const agentLeaseName = (nodeName: string): string => `cryopod-agent-${nodeName}`;

/** Lease of the agent that sweeps a store, in the system namespace. */
export const sweepLeaseName = (storeIdentity: string): string => `cryopod-sweep-${storeIdentity}`;

/** Leader election Lease of the controller, in the system namespace. */
export const controllerLeaseName = 'cryopod-controller';

/** The webhook that shapes pods: its objects as deploy/webhook.yaml makes them. */
export const podWebhook = {
  service: 'cryopod-webhook',
  /** In the system namespace; the controller fills it. */
  secret: 'cryopod-webhook-certificates',
  configuration: 'cryopod-pods',
  /** Of the one webhook in that configuration. */
  name: 'pods.cryopod.dev',
  path: '/mutate-pods',
} as const;

/** Job of a DynamoCheckpoint; attempts after the first carry a suffix. */
export const checkpointJobName = (checkpointID: string, attempt = 0): string =>
  `checkpoint-job-${checkpointID}-${artifactVersion}${attempt > 0 ? `-r${attempt}` : ''}`;

/** What a heartbeat Lease wears: by the label it is found, by the annotations it says which store its agent serves. */
export const heartbeatMarks = (store: {
  readonly name: string;
  /** '' where the store is the node's own. */
  readonly sharedID: string;
}) => ({
  labels: { [labels.heartbeat]: 'true' },
  annotations: { [annotations.store]: store.name, [annotations.sharedStore]: store.sharedID },
});

/** Labels and annotations of pods that nobody but Cryopod sets. */
export const isOwnKey = (key: string): boolean =>
  key.startsWith('nvidia.com/snapshot-') || key.startsWith('nvidia.com/restore-');
