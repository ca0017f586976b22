import { hostname } from 'node:os';
import { systemNamespace } from '../core/api/names.ts';
import { Failure } from '../core/failure.ts';
import { isLogLevel, type LogLevel, logLevels } from '../runtime/log.ts';
import { type ServingSecurity, servingSecurity, servingUsage } from '../runtime/serving.ts';

/** What a controller process is told by its environment. */
export type ControllerConfig = {
  readonly podName: string;
  /** Where its own Lease and the heartbeats of the agents are. */
  readonly namespace: string;
  readonly logLevel: LogLevel;
  /** Where API servers call the webhook; undefined where there is none. */
  readonly webhookPort: number | undefined;
  readonly healthPort: number;
  readonly metricsPort: number;
  /** The image with the static init, for source Jobs and placeholders. */
  readonly initImage: string;
  readonly security: ServingSecurity;
};

const initImage = 'cryopod.dev/init:dev';

/** Printed by `--help`. */
export const usage = `Usage: node controller/main.js [--help]

The Cryopod controller: turns DynamoCheckpoints, SnapshotJobs and PodSnapshots into work orders for nodes, PodRestores into pods, and decides how they end.

Environment:
  POD_NAME                   name in events and in the leader election (default: the host name)
  POD_NAMESPACE              namespace of its Lease and of the agents' heartbeats (default: ${systemNamespace})
  CRYOPOD_LOG_LEVEL          ${logLevels.join(', ')} (default: info)
  CRYOPOD_WEBHOOK_PORT       the webhook that shapes pods to be restored (default: none; 0: any free port)
  CRYOPOD_HEALTH_PORT        /healthz and /readyz (default: 8081; 0: any free port)
  CRYOPOD_METRICS_PORT       /metrics (default: 8080; 0: any free port)
  CRYOPOD_INIT_IMAGE         the image with the static init (default: ${initImage})
${servingUsage}  KUBECONFIG                 where no service account is mounted
`;

function port(text: string | undefined, name: string, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number < 65_536) return number;
  throw new Failure('terminal', 'InvalidConfig', `${name} is no port: ${text}`);
}

/** Reads the environment; a `terminal` failure names what is wrong with it. */
export function controllerConfig(
  environment: Readonly<Record<string, string | undefined>>,
): ControllerConfig {
  const level = environment.CRYOPOD_LOG_LEVEL || 'info';
  if (!isLogLevel(level)) {
    const known = logLevels.join(', ');
    throw new Failure(
      'terminal',
      'InvalidConfig',
      `CRYOPOD_LOG_LEVEL is ${level}, known are ${known}`,
    );
  }
  return {
    podName: environment.POD_NAME || hostname(),
    namespace: environment.POD_NAMESPACE || systemNamespace,
    logLevel: level,
    webhookPort: environment.CRYOPOD_WEBHOOK_PORT
      ? port(environment.CRYOPOD_WEBHOOK_PORT, 'CRYOPOD_WEBHOOK_PORT', 0)
      : undefined,
    healthPort: port(environment.CRYOPOD_HEALTH_PORT, 'CRYOPOD_HEALTH_PORT', 8081),
    metricsPort: port(environment.CRYOPOD_METRICS_PORT, 'CRYOPOD_METRICS_PORT', 8080),
    initImage: environment.CRYOPOD_INIT_IMAGE || initImage,
    security: servingSecurity(environment),
  };
}
