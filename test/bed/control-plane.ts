import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiServiceAddress, dnsServiceAddress, hubAddress, serviceRange } from './network.ts';
import { type BedPaths, bedPaths, netnsPath } from './paths.ts';
import type { Daemon } from './process.ts';

/** Programs of the hub, in the order in which they start. */
export const controlPlaneRoles = ['etcd', 'apiserver', 'kcm', 'scheduler'] as const;
export type ControlPlaneRole = (typeof controlPlaneRoles)[number];

export const isControlPlaneRole = (what: string): what is ControlPlaneRole =>
  controlPlaneRoles.some((role) => role === what);

/** Name of the program behind each role, as the binary cascade knows it. */
export const programOfRole: Readonly<Record<ControlPlaneRole, string>> = {
  etcd: 'etcd',
  apiserver: 'kube-apiserver',
  kcm: 'kube-controller-manager',
  scheduler: 'kube-scheduler',
};

const etcdAddress = 'http://127.0.0.1:2379';

/** Seconds of silence after which a node counts as lost; Kubernetes' default is 50. */
const nodeGraceSeconds = 20;

const argumentsOf: Readonly<Record<ControlPlaneRole, (paths: BedPaths) => readonly string[]>> = {
  etcd: (paths) => [
    `--data-dir=${paths.etcdDirectory}`,
    '--unsafe-no-fsync', // a bed outlives the death of etcd, never that of the machine
    `--listen-client-urls=${etcdAddress}`,
    `--advertise-client-urls=${etcdAddress}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--log-level=warn',
  ],
  apiserver: (paths) => {
    const pki = (file: string) => join(paths.pkiDirectory, file);
    return [
      `--etcd-servers=${etcdAddress}`,
      `--service-cluster-ip-range=${serviceRange}`,
      '--bind-address=0.0.0.0',
      '--secure-port=443',
      `--advertise-address=${hubAddress}`,
      `--tls-cert-file=${pki('apiserver.crt')}`,
      `--tls-private-key-file=${pki('apiserver.key')}`,
      `--client-ca-file=${pki('ca.crt')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${pki('sa.pub')}`,
      `--service-account-signing-key-file=${pki('sa.key')}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
      `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--enable-aggregator-routing=true', // no kube-proxy: webhooks are reached at their pods
      `--audit-policy-file=${auditPolicyPath(paths)}`,
      `--audit-log-path=${paths.auditLogPath}`,
      `--cert-dir=${paths.logDirectory}`,
      '--v=2',
    ];
  },
  kcm: (paths) => [
    `--kubeconfig=${hubKubeconfigPath(paths, 'kcm')}`,
    `--service-account-private-key-file=${join(paths.pkiDirectory, 'sa.key')}`,
    `--root-ca-file=${join(paths.pkiDirectory, 'ca.crt')}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--allocate-node-cidrs=false',
    `--node-monitor-grace-period=${nodeGraceSeconds}s`,
    '--node-monitor-period=2s',
    `--cert-dir=${paths.logDirectory}`,
    '--v=2',
  ],
  scheduler: (paths) => [
    `--kubeconfig=${hubKubeconfigPath(paths, 'scheduler')}`,
    '--leader-elect=false',
    `--cert-dir=${paths.logDirectory}`,
    '--v=2',
  ],
};

/** Kubeconfig of a program inside the hub. */
export const hubKubeconfigPath = (paths: BedPaths, user: string): string =>
  join(paths.pkiDirectory, `${user}.kubeconfig`);

/** Address of the API server inside the bed. */
export const hubServer = `https://${apiServiceAddress}:443`;

/** A control plane program of a bed, ready to start; `program` are the words that start it. */
export function controlPlaneDaemon(
  bed: string,
  role: ControlPlaneRole,
  program: readonly string[],
): Daemon {
  const paths = bedPaths(bed);
  return {
    argv: [
      'nsenter',
      `--net=${netnsPath(bed, 'hub')}`,
      '--',
      ...program,
      ...argumentsOf[role](paths),
    ],
    environment: { CRYOPOD_BED: bed },
    logPath: join(paths.logDirectory, `${role}.log`),
  };
}

const auditPolicyPath = (paths: BedPaths): string => join(paths.directory, 'audit-policy.json');

/**
 * Writes the audit policy: one line for each finished request that matters when writes are counted
 * (snapshots and what they touch), nothing for the rest and never a body.
 */
export async function writeAuditPolicy(paths: BedPaths): Promise<void> {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [
      { level: 'None', namespaces: ['kube-node-lease'] },
      {
        level: 'Metadata',
        resources: [
          { group: 'nvidia.com' },
          { group: 'cryopod.dev' },
          { group: '', resources: ['pods', 'pods/status', 'pods/eviction', 'events'] },
          { group: 'events.k8s.io' },
          { group: 'coordination.k8s.io', resources: ['leases'] },
          { group: 'batch', resources: ['jobs', 'jobs/status'] },
        ],
      },
      { level: 'None' },
    ],
  };
  await writeFile(auditPolicyPath(paths), JSON.stringify(policy, undefined, 2));
}

/** Cluster settings that the kubelets must agree with. */
export const clusterDns = { address: dnsServiceAddress, domain: 'cluster.local' } as const;
