import { randomBytes } from 'node:crypto';
import { controllerLeaseName } from '../core/api/names.ts';
import { systemClock } from '../core/clock.ts';
import { createEventRecorder } from '../runtime/events.ts';
import type { HeldLease } from '../runtime/held-lease.ts';
import type { Health } from '../runtime/http-server.ts';
import { connectKube } from '../runtime/kube.ts';
import { leaderLeaseTiming } from '../runtime/lease-attempt.ts';
import { runLeaderElected } from '../runtime/lease-lock.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { runProgram, stopSignal } from '../runtime/process.ts';
import { servePages } from '../runtime/serving.ts';
import { type ControllerCaches, controllerCaches, type Wake } from './caches.ts';
import { type ControllerConfig, controllerConfig, usage } from './config.ts';
import { leadership } from './lead.ts';
import { gaugeObjects } from './metrics/object-gauges.ts';
import { objectMetrics } from './metrics/object-metrics.ts';
import { keepCertificates } from './webhook/certificates/keep.ts';
import { webhookMetrics } from './webhook/metrics.ts';
import { type RunningWebhook, runWebhook } from './webhook/run.ts';

const requestTimeoutMilliseconds = 10_000;
const flushMilliseconds = 2_000;

const nobody: Wake = {
  checkpoint: () => {},
  snapshot: () => {},
  content: () => {},
  snapshotJob: () => {},
  podRestore: () => {},
};

/** Whether the first lists are there, and a certificate for the webhook. A replica that stands by is ready too: it could lead at once. */
function readinessOf(caches: ControllerCaches, webhook: RunningWebhook | undefined): () => Health {
  let synced = false;
  void Promise.all(Object.values(caches).map((cache) => cache.synced)).then(
    () => {
      synced = true;
    },
    () => {},
  );
  return () => {
    if (!synced) return { ok: false, why: 'the first lists are not complete yet' };
    return webhook?.ready() ?? { ok: true };
  };
}

/** The controller: connects, fills its caches, waits for its turn to lead, leads until it is stopped or loses the lease. */
async function control(config: ControllerConfig, log: Log, stop: AbortSignal): Promise<void> {
  const clock = systemClock;
  const random = Math.random;
  const metrics = createMetrics();
  const kube = await connectKube({
    requestTimeoutMilliseconds,
    userAgent: 'cryopod-controller/0.1.0',
    clock,
    onWarning: (text) => log.warn({ text }, 'the API server warns'),
  });
  const deps = { kube, clock, random, log, metrics };
  const holder = `${config.podName}_${randomBytes(4).toString('hex')}`;
  const events = createEventRecorder({
    ...{ kube, clock, log },
    controller: 'cryopod-controller',
    instance: config.podName,
    counted: metrics.eventCounted,
  });
  // Only who leads acts on changes; the caches are kept by every replica, so that taking over is quick.
  let wake = nobody;
  const wakes: Wake = {
    checkpoint: (key) => wake.checkpoint(key),
    snapshot: (key) => wake.snapshot(key),
    content: (key) => wake.content(key),
    snapshotJob: (key) => wake.snapshotJob(key),
    podRestore: (key) => wake.podRestore(key),
  };
  const caches = controllerCaches(deps, wakes, config.namespace);
  gaugeObjects(metrics.registry, caches);
  const objects = objectMetrics(metrics.registry);
  const ended = new AbortController();
  const reflecting = Object.values(caches).map((cache) => cache.run(ended.signal));
  const { security, healthPort, initImage, metricsPort, namespace, webhookPort } = config;
  const shaping = { kube, clock, log, namespace, initImage };
  const webhook =
    webhookPort === undefined
      ? undefined
      : await runWebhook({ ...shaping, metrics: webhookMetrics(metrics.registry) }, webhookPort);
  const pages = { alive: () => ({ ok: true }) as const, ready: readinessOf(caches, webhook) };
  const serving = { security, healthPort, metricsPort, ...pages, metrics: metrics.registry };
  const servers = await servePages(deps, serving);
  const ports = [...servers, ...(webhook === undefined ? [] : [webhook])].map(({ port }) => port);
  log.info({ server: kube.server, ports }, 'started');
  let held: HeldLease | undefined;
  metrics.watchLease(controllerLeaseName, () => held);
  const request = {
    namespace: config.namespace,
    name: controllerLeaseName,
    holder,
    timing: leaderLeaseTiming,
    ownerReference: undefined,
  };
  const lead = async (lease: HeldLease, signal: AbortSignal): Promise<void> => {
    held = lease;
    log.info({ holder, fence: lease.fence }, 'leading');
    await Promise.all(Object.values(caches).map((cache) => cache.synced));
    const term = leadership({ ...deps, events, caches, objects, namespace, initImage });
    wake = term.wake;
    const over = new AbortController();
    const keeping =
      webhook === undefined
        ? undefined
        : keepCertificates(shaping, AbortSignal.any([signal, over.signal]));
    try {
      await term.run(signal);
    } finally {
      wake = nobody;
      over.abort(new Error('the term of leadership is over'));
      await keeping;
    }
  };
  try {
    await runLeaderElected({ kube, clock, random, log }, request, lead, stop);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await events.flush(AbortSignal.timeout(flushMilliseconds));
    await webhook?.close();
    ended.abort(new Error('the controller ends'));
    await Promise.all([...reflecting, ...servers.map((server) => server.close())]);
    kube.close();
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(usage);
    return;
  }
  const level = process.env.CRYOPOD_LOG_LEVEL === 'debug' ? 'debug' : 'info';
  const early = createLog({ name: 'cryopod-controller', level });
  await runProgram(early, async () => {
    const config = controllerConfig(process.env);
    const log = createLog({ name: 'cryopod-controller', level: config.logLevel });
    await control(config, log, stopSignal(process, log));
  });
}

await main();
