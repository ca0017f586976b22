import { mkdirSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { criuBackend } from '../../agent/capture/criu/backend.ts';
import { measureStaging } from '../../agent/capture/criu/staging-names.ts';
import { resolveContainers } from '../../agent/capture/resolve.ts';
import { sleep, systemClock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';

/** Runs inside a node in place of the agent: one capture, told by argv, each event a JSON line on stdout. */
const identity = z.object({ pid: z.number(), startTicks: z.number() });
const orders = z.object({
  containerID: z.string(),
  /** Another container of the same pod, captured together with the first. */
  sideContainerID: z.string().optional(),
  podUID: z.string(),
  stagingDirectory: z.string(),
  holdLimitSeconds: z.number().default(60),
  criuPath: z.string().default('/usr/sbin/criu'),
  /** As seen from a pod: /proc/1/root and /host/sys/fs/cgroup. */
  hostRoot: z.string().default(''),
  cgroupRoot: z.string().default('/sys/fs/cgroup'),
  /** Where this process ends itself with SIGKILL (or stops itself), as a crash would. */
  dieAt: z
    .enum(['never', 'begin', 'dumping', 'writing', 'held', 'releasing', 'stopInHold'])
    .default('never'),
  /** `writing`: when the first bytes of memory are in the images. */
  abortAt: z.enum(['never', 'dumping', 'writing', 'held']).default('never'),
  only: z.enum(['capture', 'preflight', 'settle']).default('capture'),
  memoryPath: z.enum(['files', 'page-server']).default('files'),
  freezeBudgetSeconds: z.number().optional(),
  settle: z.array(z.object({ container: z.string(), criu: identity, source: identity })).optional(),
});

const order = orders.parse(JSON.parse(process.argv[2] ?? '{}'));
const signal = new AbortController().signal;
const say = (event: string, facts: object = {}): void => {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
};
const die = (at: string): void => {
  if (order.dieAt === at) process.kill(process.pid, 'SIGKILL');
};
const cancelled = new Failure('terminal', 'Cancelled', 'cancelled by the test');

const backend = criuBackend({
  criuPath: order.criuPath,
  procRoot: '/proc',
  hostRoot: order.hostRoot,
  cgroupRoot: order.cgroupRoot,
  kubeletDirectory: '/var/lib/kubelet',
  runtimeRoots: ['/var/lib/containerd'],
  lockDirectory: '/var/lib/cryopod/locks',
  storeDirectory: undefined,
  holdLimitSeconds: order.holdLimitSeconds,
  memoryPath: order.memoryPath,
  clock: systemClock,
});

async function capture(): Promise<void> {
  const side = order.sideContainerID;
  const containers = await resolveContainers('/proc', [
    { name: 'main', containerID: order.containerID },
    ...(side === undefined ? [] : [{ name: 'side', containerID: side }]),
  ]);
  mkdirSync(order.stagingDirectory, { recursive: true, mode: 0o700 });
  writeFileSync(`${order.stagingDirectory}.pid`, String(process.pid));
  const { podUID, stagingDirectory } = order;
  const progress: number[] = [];
  const request = {
    ...{ containers, podUID, volumes: [], stagingDirectory },
    freezeBudgetSeconds: order.freezeBudgetSeconds,
    onProgress: (bytes: number) => void progress.push(bytes),
  };
  say('preflight', await backend.preflight(request, signal));
  if (order.only === 'preflight') return;
  const running = await backend.start(
    request,
    async (processes) => {
      say('process', { processes });
      die('begin');
    },
    signal,
  );
  if (order.abortAt === 'dumping') return aborted(running.abort(cancelled));
  if (order.abortAt === 'writing' || order.dieAt === 'writing') {
    const bytesWritten = await firstBytes(stagingDirectory);
    die('writing');
    const askedAt = performance.now();
    await aborted(running.abort(cancelled));
    say('timed', { bytesWritten, milliseconds: performance.now() - askedAt });
    return;
  }
  if (order.dieAt === 'dumping') setTimeout(() => die('dumping'), 30);
  await running.held();
  say('held');
  die('held');
  if (order.dieAt === 'stopInHold') process.kill(process.pid, 'SIGSTOP');
  if (order.abortAt === 'held') return aborted(running.abort(cancelled));
  if (order.dieAt === 'releasing') setTimeout(() => die('releasing'), 3);
  say('released', { result: await running.release(signal), progress });
}

async function firstBytes(stagingDirectory: string): Promise<number> {
  for (;;) {
    const { bytes } = await measureStaging(stagingDirectory);
    if (bytes > 0) return bytes;
    await sleep(systemClock, 1, signal);
  }
}

async function aborted(end: Promise<void>): Promise<void> {
  await end;
  say('aborted');
}

try {
  if (order.settle === undefined) await capture();
  else {
    const left = { processes: order.settle, stagingDirectory: order.stagingDirectory };
    say('settled', await backend.settle(left, signal));
  }
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  say('failed', { kind: error.kind, reason: error.reason, message: error.message });
}
