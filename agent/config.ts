import { hostname } from 'node:os';
import * as z from 'zod';
import { systemNamespace } from '../core/api/names.ts';
import { Failure } from '../core/failure.ts';
import { logLevels } from '../runtime/log.ts';
import { type ServingSecurity, servingSecurity, servingUsage } from '../runtime/serving.ts';

const directory = z.string().startsWith('/', 'must be an absolute path');

const environmentSchema = z.object({
  NODE_NAME: z.string().min(1),
  POD_NAME: z.string().min(1).default(hostname()),
  POD_NAMESPACE: z.string().min(1).default(systemNamespace),
  CRYOPOD_LOG_LEVEL: z.enum(logLevels).default('info'),
  CRYOPOD_CRIU_PATH: z.string().min(1).default('/usr/sbin/criu'),
  CRYOPOD_STATE_DIRECTORY: directory.default('/var/lib/cryopod'),
  CRYOPOD_STORE_DIRECTORY: directory.default('/var/lib/cryopod-store'),
  CRYOPOD_STORE_SHARED: z.enum(['true', 'false']).default('false'),
  CRYOPOD_CGROUP_ROOT: directory.default('/host/sys/fs/cgroup'),
  CRYOPOD_HOST_ROOT: directory.default('/proc/1/root'),
  CRYOPOD_KUBELET_DIRECTORY: directory.default('/var/lib/kubelet'),
  CRYOPOD_RUNTIME_ROOTS: z
    .string()
    .default('/var/lib/containerd,/var/lib/containers,/run/containerd')
    .transform((text) => text.split(',').filter((root) => root !== ''))
    .pipe(z.array(directory).min(1)),
  CRYOPOD_HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).default(8081),
  CRYOPOD_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  CRYOPOD_MEMORY_PATH: z.enum(['files', 'page-server']).default('files'),
  CRYOPOD_RESTORE_TOOLS: directory.default('/usr/libexec/cryopod'),
  CRYOPOD_PARALLEL_DUMPS: z.coerce.number().int().min(1).max(64).default(1),
  CRYOPOD_PARALLEL_PUBLISHES: z.coerce.number().int().min(1).max(64).default(2),
  CRYOPOD_LOW_PRIORITY_BELOW: z.coerce.number().int().default(0),
  CRYOPOD_LIMITS_DIRECTORY: directory.default('/etc/cryopod/limits'),
  CRYOPOD_SWEEP_EVERY_SECONDS: z.coerce.number().int().min(1).max(604_800).default(86_400),
  CRYOPOD_SWEEP_GRACE_SECONDS: z.coerce.number().int().min(60).max(31_536_000).default(86_400),
});

/** What an agent is told by its environment. Directories as the node names them, except those of the agent's own mounts. */
export type AgentConfig = {
  readonly nodeName: string;
  readonly podName: string;
  readonly namespace: string;
  readonly logLevel: (typeof logLevels)[number];
  readonly criuPath: string;
  /** Journal, staging and locks; the same path in the agent and on the node. */
  readonly stateDirectory: string;
  readonly storeDirectory: string;
  /** The store directory is the same volume on every node whose agent says so. */
  readonly storeIsShared: boolean;
  readonly cgroupRoot: string;
  /** The node's root directory as the agent sees it. */
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
  readonly runtimeRoots: readonly string[];
  /** 0: any free port. */
  readonly healthPort: number;
  readonly metricsPort: number;
  /** What restores run inside placeholders: `enter` and `bundle/`. Part of the image. */
  readonly restoreToolsDirectory: string;
  readonly security: ServingSecurity;
  readonly parallelDumps: number;
  readonly parallelPublishes: number;
  /** Captures of pods with a lower priority than this wait while the node is under pressure. */
  readonly lowPriorityBelow: number;
  /** Files that are read again while the agent runs (limits.ts). */
  readonly limitsDirectory: string;
  /** Whether CRIU writes memory itself, or hands it to the agent's page server. */
  readonly memoryPath: 'files' | 'page-server';
  readonly sweepEverySeconds: number;
  /** How long a blob that nothing names is left alone: longer than any publish takes. */
  readonly sweepGraceSeconds: number;
};

/** Environment to config. An empty variable counts as absent. Throws Failure 'terminal' naming each variable that is wrong. */
export function parseConfig(environment: NodeJS.ProcessEnv): AgentConfig {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(set);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Failure('terminal', 'BadConfig', `wrong environment: ${issues.join('; ')}`);
  }
  const { data } = parsed;
  return {
    nodeName: data.NODE_NAME,
    podName: data.POD_NAME,
    namespace: data.POD_NAMESPACE,
    logLevel: data.CRYOPOD_LOG_LEVEL,
    criuPath: data.CRYOPOD_CRIU_PATH,
    stateDirectory: data.CRYOPOD_STATE_DIRECTORY,
    storeDirectory: data.CRYOPOD_STORE_DIRECTORY,
    storeIsShared: data.CRYOPOD_STORE_SHARED === 'true',
    cgroupRoot: data.CRYOPOD_CGROUP_ROOT,
    hostRoot: data.CRYOPOD_HOST_ROOT,
    kubeletDirectory: data.CRYOPOD_KUBELET_DIRECTORY,
    runtimeRoots: data.CRYOPOD_RUNTIME_ROOTS,
    healthPort: data.CRYOPOD_HEALTH_PORT,
    metricsPort: data.CRYOPOD_METRICS_PORT,
    restoreToolsDirectory: data.CRYOPOD_RESTORE_TOOLS,
    security: servingSecurity(environment),
    parallelDumps: data.CRYOPOD_PARALLEL_DUMPS,
    memoryPath: data.CRYOPOD_MEMORY_PATH,
    parallelPublishes: data.CRYOPOD_PARALLEL_PUBLISHES,
    lowPriorityBelow: data.CRYOPOD_LOW_PRIORITY_BELOW,
    limitsDirectory: data.CRYOPOD_LIMITS_DIRECTORY,
    sweepEverySeconds: data.CRYOPOD_SWEEP_EVERY_SECONDS,
    sweepGraceSeconds: data.CRYOPOD_SWEEP_GRACE_SECONDS,
  };
}

/** What `--help` prints. */
export const usage = `cryopod agent: captures the pods of one node. All settings come from the environment:

  NODE_NAME                  this node, required
  POD_NAME, POD_NAMESPACE    the agent's own pod (default: host name, ${systemNamespace})
  CRYOPOD_LOG_LEVEL          ${logLevels.join(', ')} (default info)
  CRYOPOD_CRIU_PATH          default /usr/sbin/criu
  CRYOPOD_STATE_DIRECTORY    journal and staging, same path on the node (default /var/lib/cryopod)
  CRYOPOD_STORE_DIRECTORY    where artifacts go (default /var/lib/cryopod-store)
  CRYOPOD_STORE_SHARED       true where that directory is one volume on several nodes (default false)
  CRYOPOD_CGROUP_ROOT        the node's cgroup mounts (default /host/sys/fs/cgroup)
  CRYOPOD_HOST_ROOT          the node's root directory (default /proc/1/root)
  CRYOPOD_KUBELET_DIRECTORY  as the node names it (default /var/lib/kubelet)
  CRYOPOD_RUNTIME_ROOTS      where runtimes keep writable layers, comma separated
  CRYOPOD_HEALTH_PORT        /healthz and /readyz (default 8081)
  CRYOPOD_METRICS_PORT       /metrics (default 8080)
  CRYOPOD_RESTORE_TOOLS      enter and bundle/ (default /usr/libexec/cryopod)
${servingUsage.trimEnd()}
  CRYOPOD_PARALLEL_DUMPS     dumps at a time on this node (default 1)
  CRYOPOD_PARALLEL_PUBLISHES publishes at a time on this node (default 2)
  CRYOPOD_LOW_PRIORITY_BELOW pods with a lower priority wait while the node is under pressure (default 0)
  CRYOPOD_LIMITS_DIRECTORY   holds publish-bytes-per-second, read again while the agent runs (default /etc/cryopod/limits)
  CRYOPOD_MEMORY_PATH        who writes memory: files (CRIU itself) or page-server (default files)
  CRYOPOD_SWEEP_EVERY_SECONDS  how often the store is swept (default 86400)
  CRYOPOD_SWEEP_GRACE_SECONDS  age at which what no snapshot needs is deleted (default 86400)
`;
