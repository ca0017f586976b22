import * as z from 'zod';
import { kinds } from '../../../core/api/kinds.ts';
import { systemNamespace } from '../../../core/api/names.ts';
import { parsePod } from '../../../core/api/workload.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import type { Bed } from '../../bed/bed.ts';
import { inNode } from '../capture/node.ts';
import { restoreBare } from './bare.ts';
import { type Placeholder, removePlaceholders, startPlaceholder, waiting } from './placeholders.ts';
import { namespace, type Snapshot } from './source.ts';

const never = new AbortController().signal;
const deadlineMilliseconds = 180_000;
/** Alone, an answer is waited for closely; many who wait must not be what is measured. */
const pauseAlone = 500;
const pauseAmongMany = 5000;

/** What the rounds run on. */
export type BenchBed = {
  readonly bed: Bed;
  readonly kube: ConnectedKube;
  readonly node: string;
  /** The agent's process, as the node numbers it. */
  readonly agentPid: number;
};

/** Milliseconds until the (last) process ran, and until the (last) first answer. */
export type Reached = { readonly running: number; readonly answered: number };

/** Milliseconds as the agent's log has them: from what it began with to what it ended with, and in it fetching, putting files, and CRIU. */
export type Stages = {
  readonly all: number;
  readonly fetch: number;
  readonly files: number;
  readonly criu: number;
};

/** One restore of each kind. Cryopod's time begins when the placeholder waits, bare CRIU's with the command. */
export type SingleRound = {
  readonly cryopod: Reached & { readonly stages: Stages };
  readonly bare: Reached & { readonly ended: number };
};

let made = 0;
const freshName = (snapshot: Snapshot, by: string): string => {
  made += 1;
  return `${by}-${snapshot.name}-${made}`;
};

async function within<T>(what: string, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(systemClock, deadlineMilliseconds, over.signal).then(() => {
    throw new Error(`${what}: nothing after ${deadlineMilliseconds} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    // Its timer would keep the process.
    over.abort();
  }
}

const logged = z.object({
  pod: z.string(),
  msg: z.literal('restored'),
  milliseconds: z.object({
    all: z.number(),
    fetch: z.number(),
    files: z.number(),
    criu: z.number(),
  }),
});

function stagesOf({ bed }: BenchBed, pod: string): Promise<Stages> {
  const agents = ['-n', systemNamespace, '-l', 'app.kubernetes.io/component=agent'];
  return bed.waitFor(
    `the agent to have restored ${pod}`,
    async () => {
      const lines = (await bed.kubectl(['logs', ...agents, '--tail=200'])).split('\n');
      const wanted = lines.filter((line) => line.includes(`"${namespace}/${pod}"`));
      const parsed = wanted.map((line) => logged.safeParse(JSON.parse(line)));
      return parsed.find(({ success }) => success)?.data?.milliseconds;
    },
    20_000,
  );
}

/** A restore by Cryopod of a pod that is created as any other: nobody waits for anything. */
export async function restoreOne(
  on: BenchBed,
  snapshot: Snapshot,
): Promise<SingleRound['cryopod']> {
  const wanted = {
    name: freshName(snapshot, 'cryopod'),
    by: 'cryopod',
    pauseMicroseconds: pauseAlone,
  } as const;
  const placeholder = await startPlaceholder(on.bed, on.kube, on.node, snapshot, wanted);
  const times = await within(placeholder.name, placeholder.answered);
  const stages = await stagesOf(on, placeholder.name);
  await removePlaceholders(on.bed, [placeholder]);
  return {
    running: times.running - times.waiting,
    answered: times.answered - times.waiting,
    stages,
  };
}

const start = (
  { bed, kube, node }: BenchBed,
  snapshot: Snapshot,
  by: 'cryopod' | 'bare',
  count: number,
): Promise<readonly Placeholder[]> =>
  Promise.all(
    Array.from({ length: count }, () => {
      const pauseMicroseconds = count === 1 ? pauseAlone : pauseAmongMany;
      const wanted = { name: freshName(snapshot, by), by, pauseMicroseconds };
      return startPlaceholder(bed, kube, node, snapshot, wanted);
    }),
  );

/** Until all are known to run: what the kubelet does for them is over then. */
async function allRun(on: BenchBed, placeholders: readonly Placeholder[]): Promise<void> {
  for (const placeholder of placeholders) await waiting(on.bed, on.node, placeholder);
  const names = new Set(placeholders.map(({ name }) => name));
  const until = performance.now() + deadlineMilliseconds;
  for (;;) {
    const page = await on.kube.list({ kind: kinds.pod, namespace, limit: 500 }, never);
    const running = page.items.filter((item) => {
      const pod = parsePod(item);
      if (!pod.ok || !names.has(pod.value.metadata.name)) return false;
      return pod.value.status.containerStatuses[0]?.state.running !== undefined;
    });
    if (running.length === placeholders.length) return;
    if (performance.now() > until) throw new Error('not all placeholders run');
    await sleep(systemClock, 200, never);
  }
}

async function reachedBy(placeholders: readonly Placeholder[], from: number): Promise<Reached> {
  const all = await within('restores', Promise.all(placeholders.map(({ answered }) => answered)));
  return {
    running: Math.max(...all.map((times) => times.running)) - from,
    answered: Math.max(...all.map((times) => times.answered)) - from,
  };
}

/** Bare CRIU into so many placeholders at once. */
export async function restoreManyBare(
  on: BenchBed,
  snapshot: Snapshot,
  count: number,
): Promise<SingleRound['bare']> {
  const placeholders = await start(on, snapshot, 'bare', count);
  await allRun(on, placeholders);
  const { from, to } = await restoreBare(on.bed, on.node, on.agentPid, snapshot, placeholders);
  const reached = await reachedBy(placeholders, from);
  await removePlaceholders(on.bed, placeholders);
  return { ...reached, ended: to - from };
}

/** Cryopod into so many placeholders that all wait when the agent, held until then, is let go. */
export async function restoreMany(
  on: BenchBed,
  snapshot: Snapshot,
  count: number,
): Promise<Reached> {
  const { bed, node, agentPid } = on;
  await inNode(bed, node, ['kill', '-STOP', String(agentPid)]);
  let from: number;
  let placeholders: readonly Placeholder[];
  try {
    placeholders = await start(on, snapshot, 'cryopod', count);
    await allRun(on, placeholders);
  } finally {
    const words = ['sh', '-c', `date +%s%N; kill -CONT ${agentPid}`];
    from = Number(BigInt((await inNode(bed, node, words)).trim()) / 1000n) / 1000;
  }
  const reached = await reachedBy(placeholders, from);
  await removePlaceholders(bed, placeholders);
  return reached;
}
