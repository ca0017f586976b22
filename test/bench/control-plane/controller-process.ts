import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { sleep, systemClock } from '../../../core/clock.ts';
import { repositoryRoot } from '../../bed/images/recipes.ts';
import { type Usage, usageOf } from '../proc-usage.ts';

const never = new AbortController().signal;
/** A scrape counts all objects: asked more often, the controller would be measured at answering. */
const pollMilliseconds = 250;

/** Compiles the sources as the image does. */
export async function compile(): Promise<void> {
  const compiler = join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  const options = { cwd: repositoryRoot };
  await execa(process.execPath, [compiler, '-p', 'tsconfig.build.json'], options);
}

/** A running controller. */
export type ControllerProcess = {
  readonly usage: () => Usage;
  /** Milliseconds from its start until it leads, has looked at so many objects and has nothing left to do. */
  readonly steady: (objects: number, deadlineMilliseconds: number) => Promise<number>;
  /** A metric's samples, added up. */
  readonly metric: (name: string, labels?: string) => Promise<number>;
  /** Lines of its log at level warn or above. */
  readonly warnings: () => readonly string[];
  /** Rejects when it ends without having been told to. */
  readonly lasts: Promise<never>;
  readonly stop: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
};

/** Sum of the samples of a metric in Prometheus' text form whose labels contain `labels`. */
export function sumOf(text: string, name: string, labels = ''): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** What Node is called with in the image. */
function entryPoint(): readonly string[] {
  const text = readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8');
  const found = /^FROM base AS controller$[\s\S]*?^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1];
  const words: readonly string[] = JSON.parse(found ?? '[]');
  if (words.length < 2)
    throw new Error('the Dockerfile does not say how the controller is started');
  return words.slice(1);
}

/** In a mount namespace of its own the process finds its service account where a pod does: a kubeconfig would cost it the memory of its reader. */
const asInPod = (account: string): readonly string[] => [
  ...['--mount', '--propagation', 'private', 'sh', '-ec'],
  `mount -t tmpfs tmpfs /run; mkdir -p /run/secrets/kubernetes.io; cp -r '${account}' /run/secrets/kubernetes.io/serviceaccount; exec "$@"`,
  'sh',
];

/** Starts the compiled controller as it is deployed, but for the image. `server`: what a pod would find in its environment. */
export function startController(server: string, account: string): ControllerProcess {
  const startedAt = performance.now();
  const profile = process.env.CRYOPOD_BENCH_PROFILE;
  const options = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const { hostname, port } = new URL(server);
  const words = [...asInPod(account), process.execPath, ...options, ...entryPoint()];
  const child = execa('unshare', words, {
    cwd: repositoryRoot,
    env: {
      KUBECONFIG: '',
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: port,
      POD_NAME: 'controller',
      CRYOPOD_LOG_LEVEL: 'info',
      CRYOPOD_HEALTH_PORT: '0',
      CRYOPOD_METRICS_PORT: '0',
    },
    buffer: false,
    reject: false,
  });
  const ports = Promise.withResolvers<readonly number[]>();
  const lasts = Promise.withResolvers<never>();
  let told = false;
  const warnings: string[] = [];
  let rest = '';
  child.stdout.on('data', (chunk: unknown) => {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.includes('"msg":"started"')) ports.resolve(JSON.parse(line).ports);
      if (/"level":"(warn|error)"/.test(line)) warnings.push(line);
    }
  });
  child.stderr.on('data', (chunk: unknown) => warnings.push(String(chunk)));
  void child.then(({ exitCode }) => {
    const last = warnings.slice(-5).join('\n');
    const error = new Error(`the controller ended with ${exitCode}:\n${last}`);
    ports.reject(error);
    if (!told) lasts.reject(error);
  });
  // Told to whoever asks for its metrics, and to whoever relies on it.
  for (const promise of [ports.promise, lasts.promise]) promise.catch(() => {});

  const metrics = async (): Promise<string> => {
    const [, port] = await ports.promise;
    return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  };
  const idle = (text: string, objects: number): boolean =>
    sumOf(text, 'cryopod_lease_held') === 1 &&
    sumOf(text, 'cryopod_reconciles_total') >= objects &&
    sumOf(text, 'cryopod_queue_depth') + sumOf(text, 'cryopod_queue_active') === 0;
  return {
    usage: () => usageOf(child.pid ?? 0),
    steady: async (objects, deadlineMilliseconds) => {
      while (!idle(await metrics(), objects)) {
        if (performance.now() - startedAt > deadlineMilliseconds) {
          throw new Error(`the controller did not come to rest: ${warnings.slice(-5).join('\n')}`);
        }
        await sleep(systemClock, pollMilliseconds, never);
      }
      return performance.now() - startedAt;
    },
    metric: async (name, labels) => sumOf(await metrics(), name, labels),
    warnings: () => warnings,
    lasts: lasts.promise,
    stop: async (signal) => {
      told = true;
      child.kill(signal);
      await child;
    },
  };
}
