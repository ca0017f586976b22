import type { RestoreBackend } from '../../../../../agent/restore/backend.ts';
import type { RestoreDeps } from '../../../../../agent/restore/deps.ts';
import { type Restores, startRestores } from '../../../../../agent/restore/restores.ts';
import { Slots } from '../../../../../agent/restore/slots.ts';
import { kinds } from '../../../../../core/api/kinds.ts';
import { restoredCondition } from '../../../../../core/api/restore.ts';
import { type Pod, parsePod } from '../../../../../core/api/workload.ts';
import { Failure } from '../../../../../core/failure.ts';
import { silentLog } from '../../../../../runtime/log.ts';
import { silentQueueObserver } from '../../../../../runtime/work-queue.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { MemoryKube } from '../../../../support/memory-kube.ts';
import { Mortal } from '../../order/support/mortal.ts';
import { createObjects, name, namespace, setStatus } from './objects.ts';

const never = new AbortController().signal;
export const containerID = (ticks: number): string => `${ticks}`.padStart(64, '0');

const nothing = { do: 'nothing' } as const;
/** What the work reads of an artifact. */
const config = {
  containers: [{ name: 'main', image: 'x', volumes: [], mounts: [] }],
  options: { tcp: 'Close' },
  network: { podIPs: [] },
  totals: { sizeBytes: 1 },
} as never;

/** A node with one placeholder, its kubelet, and agents that can die between any two of their effects. */
export class RestoreWorld {
  readonly clock = new FakeClock();
  readonly kube = new MemoryKube();
  /** What broke an invariant. */
  readonly violations: string[] = [];
  /** Ticks of the init of each restore that was begun. */
  readonly begun: number[] = [];
  /** What the backend does next: restores, unless told otherwise. */
  outcome: () => Promise<void> = async () => undefined;
  /** What the cache does before it has the artifact. */
  fetch: () => Promise<void> = async () => undefined;
  /** How far the kubelet's status is behind: 'unknown' tells of no container at all. */
  statusLag: 'none' | 'unknown' = 'none';
  #ticks = 100;
  #restarts = 0;
  #restoredTicks: number | undefined;
  #pod: Pod | undefined;
  #restores: Restores | undefined;
  #agents = 0;
  readonly #marks = new Map<string, string>();

  static async create(): Promise<RestoreWorld> {
    const world = new RestoreWorld();
    await world.#fill();
    return world;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get pod(): Pod | undefined {
    return this.#pod;
  }

  get condition(): string {
    const found = this.#pod?.status.conditions.find(({ type }) => type === restoredCondition);
    return `${found?.status}/${String(found?.reason ?? '')}: ${String(found?.message ?? '')}`;
  }

  /** Whether the process runs from its snapshot in the container that there is. */
  get runs(): boolean {
    return this.#restoredTicks === this.#ticks;
  }

  async #fill(): Promise<void> {
    await createObjects(this.kube);
    this.kube.changed = () => this.#look();
    this.#begin();
    await this.kubelet();
  }

  /** The container's init says that it waits, as images/init does. */
  #begin(): void {
    this.#marks.clear();
    this.#marks.set('placeholder-waiting', `${this.#ticks}`);
  }

  /** The container ends, and the kubelet starts the next one; its status follows with `kubelet`. */
  endContainer(): void {
    this.#ticks += 100;
    this.#restarts += 1;
    this.#begin();
  }

  /** Brings the pod's status up to date. */
  async kubelet(): Promise<void> {
    const state =
      this.statusLag === 'unknown' ? { waiting: { reason: 'PodInitializing' } } : { running: {} };
    const known =
      this.statusLag === 'unknown'
        ? {}
        : { containerID: `containerd://${containerID(this.#ticks)}` };
    const status = { name: 'main', image: 'x', restartCount: this.#restarts, state, ...known };
    await setStatus(this.kube, kinds.pod, namespace, name, {
      phase: 'Running',
      containerStatuses: [status],
    });
  }

  #look(): void {
    void this.kube.get({ kind: kinds.pod, namespace, name }, never).then(
      (raw) => {
        const parsed = parsePod(raw);
        if (!parsed.ok) throw new Error(parsed.message);
        this.#pod = parsed.value;
        if (this.condition.startsWith('True') && !this.runs) {
          this.violations.push(`said to be restored, and is not: ${this.condition}`);
        }
        this.#restores?.enqueueForPod(namespace, name);
      },
      () => undefined,
    );
  }

  /** Starts an agent in the place of the last one. */
  agent(dieAfter: number): Mortal {
    this.#agents += 1;
    const mortal = new Mortal(this.#agents, dieAfter, () => {
      this.#restores = undefined;
    });
    this.#restores = startRestores(this.#deps(mortal), {
      random: () => 0.5,
      queueObserver: silentQueueObserver,
      ended: () => undefined,
    });
    this.#restores.enqueueForPod(namespace, name);
    return mortal;
  }

  #deps(mortal: Mortal): RestoreDeps {
    const { kube } = this;
    const write = async (mark: string, text: string): Promise<void> => {
      this.#marks.set(mark, text);
      // The init ends when it reads this.
      if (mark === 'restore-failed') this.endContainer();
    };
    const backend: RestoreBackend = {
      check: () => mortal.wait(async () => []),
      restore: ({ targets }) =>
        mortal.effect(async () => {
          const ticks = targets[0]?.placeholder.startTicks ?? 0;
          if (this.begun.includes(ticks)) this.violations.push(`two restores into ${ticks}`);
          this.begun.push(ticks);
          await this.outcome();
          if (ticks !== this.#ticks) throw new Failure('terminal', 'RestoreFailed', 'it has ended');
          this.#restoredTicks = ticks;
          const milliseconds = { filesMilliseconds: 1, restoreMilliseconds: 1 };
          return { pids: [2], connectionsClosed: 0, ...milliseconds };
        }),
    };
    return {
      kube: new Proxy(kube, {
        get: (target, verb) => {
          const call: unknown = Reflect.get(target, verb);
          if (typeof call !== 'function') return call;
          return (...words: readonly unknown[]) =>
            verb === 'patch'
              ? mortal.effect(() => call.apply(target, words))
              : mortal.wait(() => call.apply(target, words));
        },
      }),
      pod: () => this.#pod,
      findInit: async (_pod, _container, ticks) =>
        ticks === this.#ticks
          ? { process: { pid: 7, startTicks: ticks }, containerID: containerID(ticks) }
          : undefined,
      findRestored: async ({ startTicks }) =>
        startTicks === this.#restoredTicks ? { pid: 8, startTicks: startTicks + 1 } : undefined,
      end: ({ startTicks }) =>
        mortal.effect(() => (startTicks === this.#ticks ? this.endContainer() : undefined)),
      marks: {
        read: async () => ({
          waitingTicks: Number(this.#marks.get('placeholder-waiting')),
          begunTicks: this.#marks.has('restore-begun')
            ? Number(this.#marks.get('restore-begun'))
            : undefined,
          complete: this.#marks.has('restore-complete'),
          failed: this.#marks.has('restore-failed'),
        }),
        write: (_uid, _container, mark, text) => mortal.effect(() => write(mark, text)),
        claim: (_uid, _container, mark, text) =>
          mortal.effect(async () => {
            if (this.#marks.has(mark)) throw new Failure('terminal', 'SentinelExists', mark);
            await write(mark, text);
          }),
        watch: () => () => undefined,
      },
      cache: {
        describe: () => mortal.wait(async () => config),
        fetch: () =>
          mortal.wait(async () => {
            await this.fetch();
            return { config, directory: '/cache', release: () => undefined };
          }),
      },
      metrics: {
        ended: () => undefined,
        took: () => undefined,
        refused: () => undefined,
        held: () => undefined,
        evicted: () => undefined,
      },
      backend,
      clock: this.clock,
      log: silentLog,
      announce: () => nothing,
      nodeName: 'node',
      slots: new Slots(4),
      workDirectories: {
        of: () => '/work',
        discardAttempt: async () => undefined,
        discard: async () => undefined,
        sweep: async () => undefined,
      },
    };
  }

  /** Lets agent and kubelet go on until nothing more happens, or for a minute of their time. */
  async settle(mortal: Mortal): Promise<void> {
    for (let round = 0; round < 30 && !mortal.dead; round += 1) {
      for (let turn = 0; turn < 20; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      await this.kubelet();
      await this.clock.advance(2000);
      if (this.condition.startsWith('True') && this.runs) break;
    }
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
