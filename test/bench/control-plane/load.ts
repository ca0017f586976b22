import { join } from 'node:path';
import { execa } from 'execa';
import { kinds } from '../../../core/api/kinds.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import { netnsPath } from '../../bed/paths.ts';
import type { Hops } from './hops.ts';
import { snapshotObject } from './objects.ts';
import { type ControlPlaneWorld, create } from './world.ts';

const never = new AbortController().signal;
/** Creates that may wait for their answer at once; more means that the API server does not follow, and the load ends. */
const mostUnanswered = 500;
const warningsShown = 5;
const startDeadlineMilliseconds = 120_000;

/** A process with the simulated agents of all nodes. */
export type AgentsProcess = {
  readonly pid: number;
  /** Lines of its log at level warn or above; the first few are shown. */
  readonly warnings: () => number;
  readonly stop: () => Promise<void>;
};

/** Starts it inside the hub, so that the bed's forwarder, which no cluster has, does not carry its traffic. */
export async function startAgents(
  bedName: string,
  world: ControlPlaneWorld,
  publishMilliseconds: number,
): Promise<AgentsProcess> {
  const order = JSON.stringify({ publishMilliseconds, agents: world.agents });
  const program = join(import.meta.dirname, 'agents.ts');
  const inHub = [`--net=${netnsPath(bedName, 'hub')}`, '--', process.execPath, program, order];
  const child = execa('nsenter', inHub, {
    stdin: 'pipe',
    stderr: 'inherit',
    buffer: false,
    reject: false,
  });
  const ready = Promise.withResolvers<void>();
  let warnings = 0;
  child.stdout.on('data', (chunk: unknown) => {
    for (const line of String(chunk).split('\n').filter(Boolean)) {
      if (line === 'ready') ready.resolve();
      else if (++warnings <= warningsShown) process.stderr.write(`${line}\n`);
    }
  });
  void child.then(() => ready.reject(new Error('the simulated agents ended')));
  ready.promise.catch(() => {});
  const late = AbortSignal.timeout(startDeadlineMilliseconds);
  late.addEventListener('abort', () => ready.reject(new Error('the simulated agents are late')));
  await ready.promise;
  return {
    pid: child.pid ?? 0,
    warnings: () => warnings,
    stop: async () => {
      child.stdin.end();
      await child;
    },
  };
}

/** Creates snapshots of the pods `POD-0`, `POD-1`, ... at a steady rate. Resolves when all are answered, to the most that were in flight at once. */
export async function arrive(
  kube: ConnectedKube,
  hops: Hops,
  load: { readonly pod: string; readonly count: number; readonly perSecond: number },
): Promise<number> {
  const startedAt = performance.now();
  const unanswered = new Set<Promise<void>>();
  let inFlight = 0;
  for (let index = 0; index < load.count; index += 1) {
    const due = startedAt + (index * 1000) / load.perSecond;
    const pause = due - performance.now();
    if (pause > 0) await sleep(systemClock, pause, never);
    if (unanswered.size >= mostUnanswered) throw new Error('the API server does not follow');
    const name = `${load.pod}-${index}`;
    const sentAt = performance.now();
    const answered = create(kube, kinds.podSnapshot, snapshotObject(name, name)).then((object) =>
      hops.sent(identityOf(object).uid, sentAt),
    );
    unanswered.add(answered);
    void answered.finally(() => unanswered.delete(answered)).catch(() => {}); // awaited below
    inFlight = Math.max(inFlight, hops.open());
  }
  await Promise.all(unanswered);
  return Math.max(inFlight, hops.open());
}

/** Waits until every snapshot has ended. */
export async function drained(hops: Hops, deadlineMilliseconds: number): Promise<void> {
  const until = performance.now() + deadlineMilliseconds;
  while (hops.open() > 0) {
    if (performance.now() > until) throw new Error(`${hops.open()} snapshots did not end in time`);
    await sleep(systemClock, 100, never);
  }
}
