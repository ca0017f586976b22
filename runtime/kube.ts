import { access as lookFor, readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from '../core/clock.ts';
import { errorText, Failure } from '../core/failure.ts';
import { HttpExchange, type ServerAccess } from './http-exchange.ts';
import type { Kube, ServerClock } from './kube-port.ts';
import { RestKube } from './kube-rest.ts';
import { serverOfPod, serviceAccountAccess, serviceAccountDirectory } from './service-account.ts';

export type ConnectOptions = {
  /** Wins over everything; otherwise KUBECONFIG, then the pod's service account, then ~/.kube/config. */
  readonly kubeconfigPath?: string;
  /** Of the kubeconfig, in place of its current one. */
  readonly context?: string;
  /** Of the kubeconfig, in place of what its context names. */
  readonly cluster?: string;
  readonly user?: string;
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

/** Finds out where the API server is and who we are. Nothing is sent yet. Throws a `terminal` failure 'NotConfigured' when there is nothing to go by. */
export async function connectKube(options: ConnectOptions): Promise<ConnectedKube> {
  const clock = options.clock ?? systemClock;
  const { access: found, namespace } = await findAccess(options, clock);
  const exchange = new HttpExchange(found, clock, options);
  const kube = new RestKube(exchange, clock, options.onWarning ?? (() => {}));
  const server = found.server.href.replace(/\/$/, '');
  return Object.assign(kube, { server, namespace, close: () => exchange.close() });
}

/** Where the server is, and which namespace whoever says so has in mind. */
type Access = { readonly access: ServerAccess; readonly namespace: string };

async function findAccess(
  { kubeconfigPath, ...chosen }: ConnectOptions,
  clock: Clock,
): Promise<Access> {
  const home = path.join(homedir(), '.kube', 'config');
  const environment = process.env.KUBECONFIG ?? '';
  if (kubeconfigPath !== undefined) return kubeconfigAccess([kubeconfigPath], chosen);
  const files = environment.split(path.delimiter).filter((part) => part !== '');
  if (files.length > 0) return kubeconfigAccess(files, chosen);
  const server = serverOfPod(process.env);
  if (server !== undefined && (await isThere(path.join(serviceAccountDirectory, 'token')))) {
    const access = await serviceAccountAccess(server, serviceAccountDirectory, clock);
    return { access, namespace: '' };
  }
  if (await isThere(home)) return kubeconfigAccess([home], chosen);
  throw notConfigured('set KUBECONFIG, or run in a pod with a service account');
}

type Choice = Pick<ConnectOptions, 'context' | 'cluster' | 'user'>;

/** Access as kubeconfig files tell it; of several the first that says something wins. */
async function kubeconfigAccess(
  [first = '', ...others]: readonly string[],
  { context, cluster: clusterName, user }: Choice,
): Promise<Access> {
  const config = await fromFile(first);
  for (const other of others) config.mergeConfig(await fromFile(other), true);
  if (context !== undefined) chooseContext(config, context);
  if (clusterName !== undefined || user !== undefined) chooseParts(config, clusterName, user);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !URL.canParse(cluster.server)) {
    throw notConfigured(`the kubeconfig names no cluster in its current context`);
  }
  const server = new URL(cluster.server);
  if (server.protocol === 'http:' && !cluster.skipTLSVerify) {
    throw notConfigured(`${cluster.server} is not https`);
  }
  const proxied = cluster.proxyUrl !== undefined && cluster.proxyUrl !== '';
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? '';
  const access: ServerAccess = {
    server,
    // Reads certificates and tokens in files anew: both rotate on disk.
    options: async () => {
      const request: RequestOptions = {};
      await config.applyToHTTPSOptions(request);
      // Its agent is made once and would keep the first certificate for ever; it is wanted only for proxies.
      const { agent, ...rest } = request;
      return proxied && agent !== undefined ? { ...rest, agent } : rest;
    },
  };
  return { access, namespace };
}

function chooseContext(config: KubeConfig, name: string): void {
  if (config.getContextObject(name) === null) {
    throw notConfigured(`the kubeconfig has no context ${name}`);
  }
  config.setCurrentContext(name);
}

/** The current context with another cluster or user, as kubectl's flags of these names make it. */
function chooseParts(config: KubeConfig, cluster?: string, user?: string): void {
  if (cluster !== undefined && config.getCluster(cluster) === null) {
    throw notConfigured(`the kubeconfig has no cluster ${cluster}`);
  }
  if (user !== undefined && config.getUser(user) === null) {
    throw notConfigured(`the kubeconfig has no user ${user}`);
  }
  const current = config.getContextObject(config.getCurrentContext());
  const name = 'chosen by flags';
  const chosen = { cluster: cluster ?? current?.cluster ?? '', user: user ?? current?.user ?? '' };
  const others = config.getContexts().filter((one) => one.name !== name);
  config.contexts = [...others, { ...current, ...chosen, name }];
  config.setCurrentContext(name);
}

/** client-node's own loader throws raw file and YAML errors. */
async function fromFile(file: string): Promise<KubeConfig> {
  try {
    // Only here: importing it costs 30 MiB and most of a second, which a pod with a service account need not pay.
    const client = await import('@kubernetes/client-node');
    const config = new client.KubeConfig();
    config.loadFromString(await readFile(file, 'utf8'));
    config.makePathsAbsolute(path.dirname(path.resolve(file)));
    return config;
  } catch (error) {
    throw notConfigured(`kubeconfig ${file}: ${errorText(error)}`, error);
  }
}

async function isThere(file: string): Promise<boolean> {
  return lookFor(file).then(
    () => true,
    () => false,
  );
}

const notConfigured = (why: string, cause?: unknown): Failure =>
  new Failure('terminal', 'NotConfigured', `no Kubernetes API server to talk to: ${why}`, {
    cause,
  });
