import {
  type ControllerCaches,
  controllerCaches,
  type Wake,
} from '../../../../controller/caches.ts';
import { type Reconciles, reconciles } from '../../../../controller/lead.ts';
import { systemNamespace } from '../../../../core/api/names.ts';
import { isFailure } from '../../../../core/failure.ts';
import { silentLog } from '../../../../runtime/log.ts';
import { createMetrics } from '../../../../runtime/metrics.ts';
import { cacheKey } from '../../../../runtime/raw-object.ts';
import type { FakeClock } from '../../../support/fake-clock.ts';
import type { MemoryKube } from '../../../support/memory-kube.ts';
import { type Around, ControllerKube } from './controller-kube.ts';

/** One registry for all: making the metrics anew for each process would cost more than the process. */
const metrics = createMetrics();
const kindsOfWork = ['checkpoint', 'snapshotJob', 'snapshot', 'content', 'podRestore'] as const;
type Work = { readonly kind: keyof Wake; readonly key: string };

const conflictPauseMilliseconds = 20;
const retryPauseMilliseconds = 500;

/** Lets all reflectors take in what has reached them. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A controller process with its real reflectors and reconciles. In place of the work queues stands a list from which the model picks,
 * so that keys come in any order.
 */
export class ControllerProcess {
  readonly kube: ControllerKube;
  readonly #clock: FakeClock;
  readonly #caches: ControllerCaches;
  readonly #reconciles: Reconciles;
  readonly #ended = new AbortController();
  readonly #pending = new Map<string, Work>();
  readonly #delayed = new Map<string, Work & { readonly dueAt: number }>();
  /** A key is at work once at a time, as in a work queue; what wakes it meanwhile waits. */
  readonly #busy = new Set<string>();

  constructor(server: MemoryKube, clock: FakeClock, writing: (on: boolean) => void) {
    this.kube = new ControllerKube(server, writing);
    this.#clock = clock;
    const wake = (kind: keyof Wake) => (key: string) => this.#add({ kind, key });
    this.#caches = controllerCaches(
      { kube: this.kube, clock, random: () => 0.5, log: silentLog, metrics },
      {
        checkpoint: wake('checkpoint'),
        snapshot: wake('snapshot'),
        content: wake('content'),
        snapshotJob: wake('snapshotJob'),
        podRestore: wake('podRestore'),
      },
    );
    this.#reconciles = reconciles({
      caches: this.#caches,
      clock,
      events: { record: () => {} },
      kube: this.kube,
      namespace: systemNamespace,
      initImage: 'init',
    });
  }

  /** Starts the reflectors and waits for their first lists, after which every key there is waits for its turn. */
  async start(): Promise<void> {
    for (const cache of Object.values(this.#caches)) void cache.run(this.#ended.signal);
    await Promise.all(Object.values(this.#caches).map((cache) => cache.synced));
    this.resync();
  }

  /** As a kill: nothing of it goes on. */
  end(): void {
    this.#ended.abort(new Error('the process has ended'));
  }

  /** Every key there is, as after each five minutes. */
  resync(): void {
    const { checkpoints, snapshotJobs, snapshots, contents, podRestores } = this.#caches;
    const all = {
      checkpoint: checkpoints,
      snapshotJob: snapshotJobs,
      snapshot: snapshots,
      content: contents,
      podRestore: podRestores,
    };
    for (const kind of kindsOfWork) {
      for (const { metadata } of all[kind].list()) {
        this.#add({ kind, key: cacheKey(metadata.namespace ?? '', metadata.name) });
      }
    }
  }

  /** A wake-up that never comes; only a resync heals it. */
  loseWakeUp(pick: number): void {
    const [name] = this.#picked(pick);
    if (name !== undefined) this.#pending.delete(name);
  }

  /** All caches follow what happens. */
  get streaming(): boolean {
    return Object.values(this.#caches).every(({ state }) => state === 'streaming');
  }

  /** The moment at which something is due next, on the monotonic clock. */
  get nextDueAt(): number {
    return Math.min(...[...this.#delayed.values()].map(({ dueAt }) => dueAt));
  }

  /** One reconcile of a waiting key; false when none waits. Throws what is not a Failure, a crash above all. */
  async turn(pick: number, around?: Around): Promise<boolean> {
    this.#due();
    const [name, work] = this.#picked(pick);
    if (name === undefined || work === undefined) return false;
    this.#pending.delete(name);
    this.#busy.add(name);
    const before = this.kube.around;
    this.kube.around = around;
    try {
      const next = await this.#reconciles[work.kind](work.key, this.#ended.signal);
      if ('againAfterMilliseconds' in next) this.#addAfter(work, next.againAfterMilliseconds);
    } catch (error) {
      if (!isFailure(error)) throw error;
      const pause = isFailure(error, 'conflict')
        ? conflictPauseMilliseconds
        : retryPauseMilliseconds;
      if (!isFailure(error, 'gone', 'terminal')) this.#addAfter(work, pause);
    } finally {
      this.kube.around = before;
      this.#busy.delete(name);
    }
    return true;
  }

  #picked(pick: number): readonly [string, Work] | readonly [] {
    const free = [...this.#pending].filter(([name]) => !this.#busy.has(name));
    return free[pick % Math.max(1, free.length)] ?? [];
  }

  #add(work: Work): void {
    this.#pending.set(`${work.kind} ${work.key}`, work);
  }

  #addAfter(work: Work, milliseconds: number): void {
    const name = `${work.kind} ${work.key}`;
    const dueAt = this.#clock.monotonicMilliseconds() + milliseconds;
    if (dueAt < (this.#delayed.get(name)?.dueAt ?? Number.POSITIVE_INFINITY)) {
      this.#delayed.set(name, { ...work, dueAt });
    }
  }

  #due(): void {
    const now = this.#clock.monotonicMilliseconds();
    for (const [name, work] of this.#delayed) {
      if (work.dueAt > now) continue;
      this.#delayed.delete(name);
      this.#add(work);
    }
  }
}
