import { access, readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import path from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from '../core/clock.ts';
import { errorText, Failure } from '../core/failure.ts';
import { HttpExchange, type ServerAccess } from './http-exchange.ts';
import type { Kube, ServerClock } from './kube-port.ts';
import { RestKube } from './kube-rest.ts';

export type ConnectOptions = {
  /** Wins over everything; otherwise KUBECONFIG, then the pod's service account, then ~/.kube/config. */
  readonly kubeconfigPath?: string;
  /** Of the kubeconfig, in place of its current one. */
  readonly context?: string;
  readonly requestTimeoutMilliseconds: number;
  /** `cryopod-agent/0.1.0`: its first word is the field manager that the server records. */
  readonly userAgent: string;
  readonly clock?: Clock;
  /** Warnings of the server: dropped fields, deprecations. */
  readonly onWarning?: (text: string) => void;
};

/** A connection to an API server. */
export type ConnectedKube = Kube &
  ServerClock & {
    /** For logs. */
    readonly server: string;
    /** The namespace that the context names; '' where it names none. */
    readonly namespace: string;
    /** Closes all connections. */
    readonly close: () => void;
  };

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Finds out where the API server is and who we are. Nothing is sent yet. Throws a `terminal` failure 'NotConfigured' when there is nothing to go by. */
export async function connectKube(options: ConnectOptions): Promise<ConnectedKube> {
  const config = await loadConfig(options.kubeconfigPath);
  if (options.context !== undefined) chooseContext(config, options.context);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !URL.canParse(cluster.server)) {
    throw notConfigured(`the kubeconfig names no cluster in its current context`);
  }
  const clock = options.clock ?? systemClock;
  const server = new URL(cluster.server);
  if (server.protocol === 'http:' && !cluster.skipTLSVerify) {
    throw notConfigured(`${cluster.server} is not https`);
  }
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  const serverAccess: ServerAccess = {
    server,
    // Reads certificates and a service account's token anew (the token at most once a minute): both rotate on disk.
    options: async () => {
      const request: RequestOptions = {};
      await config.applyToHTTPSOptions(request);
      // Its agent is made once and would keep the first certificate for ever; it is wanted only for proxies.
      const { agent, ...rest } = request;
      return proxied && agent !== undefined ? { ...rest, agent } : rest;
    },
  };
  const exchange = new HttpExchange(serverAccess, clock, options);
  const kube = new RestKube(exchange, clock, options.onWarning ?? (() => {}));
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? '';
  return Object.assign(kube, {
    ...{ server: cluster.server, namespace },
    close: () => exchange.close(),
  });
}

async function loadConfig(kubeconfigPath: string | undefined): Promise<KubeConfig> {
  const config = new KubeConfig();
  const home = path.join(homedir(), '.kube', 'config');
  const environment = process.env.KUBECONFIG ?? '';
  if (kubeconfigPath !== undefined) return fromFile(config, kubeconfigPath);
  if (environment !== '') {
    const [first = '', ...others] = environment.split(path.delimiter).filter((part) => part !== '');
    await fromFile(config, first);
    for (const other of others) config.mergeConfig(await fromFile(new KubeConfig(), other), true);
    return config;
  }
  const inCluster = (process.env.KUBERNETES_SERVICE_HOST ?? '') !== '';
  if (inCluster && (await isThere(tokenPath))) {
    config.loadFromCluster();
    return config;
  }
  if (await isThere(home)) return fromFile(config, home);
  throw notConfigured('set KUBECONFIG, or run in a pod with a service account');
}

function chooseContext(config: KubeConfig, name: string): void {
  if (config.getContextObject(name) === null) {
    throw notConfigured(`the kubeconfig has no context ${name}`);
  }
  config.setCurrentContext(name);
}

/** client-node's own loader throws raw file and YAML errors. */
async function fromFile(config: KubeConfig, file: string): Promise<KubeConfig> {
  try {
    config.loadFromString(await readFile(file, 'utf8'));
    config.makePathsAbsolute(path.dirname(path.resolve(file)));
    return config;
  } catch (error) {
    throw notConfigured(`kubeconfig ${file}: ${errorText(error)}`, error);
  }
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

const notConfigured = (why: string, cause?: unknown): Failure =>
  new Failure('terminal', 'NotConfigured', `no Kubernetes API server to talk to: ${why}`, {
    cause,
  });
