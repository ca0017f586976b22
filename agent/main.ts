import { systemClock } from '../core/clock.ts';
import type { RunningHttpServer } from '../runtime/http-server.ts';
import { connectKube } from '../runtime/kube.ts';
import { createLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { runProgram, stopSignal } from '../runtime/process.ts';
import { servePages } from '../runtime/serving.ts';
import { type AgentProgress, runAgent } from './agent.ts';
import { parseConfig, usage } from './config.ts';

const requestTimeoutMilliseconds = 15_000;

if (process.argv.includes('--help')) {
  process.stdout.write(usage);
  process.exit(0);
}

const log = createLog({ name: 'cryopod-agent', level: 'info' });

await runProgram(log, async () => {
  const config = parseConfig(process.env);
  log.level = config.logLevel;
  const signal = stopSignal(process, log);
  const metrics = createMetrics();
  const kube = await connectKube({
    requestTimeoutMilliseconds,
    userAgent: 'cryopod-agent',
    onWarning: (text) => log.warn({ text }, 'the API server warns'),
  });
  const progress: AgentProgress = { waitingFor: 'the start' };
  const servers: RunningHttpServer[] = [];
  try {
    servers.push(
      ...(await servePages(
        { kube, clock: systemClock, log },
        {
          security: config.security,
          healthPort: config.healthPort,
          metricsPort: config.metricsPort,
          alive: () => ({ ok: true }),
          ready: () =>
            progress.waitingFor === undefined
              ? { ok: true }
              : { ok: false, why: `waiting for ${progress.waitingFor}` },
          metrics: metrics.registry,
        },
      )),
    );
    log.info({ server: kube.server, state: config.stateDirectory }, 'the agent starts');
    await runAgent(config, { kube, log, metrics }, progress, signal);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    kube.close();
  }
});
