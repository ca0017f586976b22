import { kinds } from '../../../../core/api/kinds.ts';
import { Failure } from '../../../../core/failure.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';
import {
  checkpointManifest,
  podObject,
  snapshotJobManifest,
  snapshotManifest,
} from '../support/cluster.ts';
import { Agent, cancel, create, Jobs, nodeName, remove } from './actors.ts';
import type { Around } from './controller-kube.ts';
import { breathe, ControllerProcess } from './controller-process.ts';
import { BrokenInvariant, Invariants } from './invariants.ts';
import { squat } from './squatter.ts';

/** What the user asked for. */
export type Request = {
  readonly kind: 'checkpoint' | 'snapshot' | 'snapshotJob';
  readonly backoffLimit: number;
  readonly keepsJobs: boolean;
  readonly deletionPolicy: 'Delete' | 'Retain';
};

/** Thrown into a controller where it dies. */
export class Crash extends Error {}

const deadlineSeconds = 60;
/** Two attempts with their deadlines, what an agent gets to answer, what it takes to call it dead. */
const patienceMilliseconds = 600_000;

/** A cluster in memory with one controller, now and then the remains of its predecessor, one node and its agent, and users. */
export class ModelWorld {
  readonly clock = new FakeClock();
  readonly server = new MemoryKube(this.clock);
  readonly invariants = new Invariants();
  readonly jobs = new Jobs(this);
  readonly agent = new Agent(this);
  readonly #request: Request;
  #leader: ControllerProcess;
  /** A former leader that does not know yet that it is none. */
  #former: ControllerProcess | undefined;
  #broken: unknown;

  constructor(request: Request) {
    this.#request = request;
    this.invariants.now = () => this.clock.monotonicMilliseconds();
    this.invariants.beatAt = () => this.agent.beatAt;
    this.invariants.stored = () => this.agent.stored;
    this.server.changed = (change) => {
      try {
        this.invariants.see(change);
      } catch (error) {
        // A controller might swallow what is thrown here.
        this.#broken ??= error;
      }
    };
    this.#leader = this.#process();
  }

  #process(): ControllerProcess {
    return new ControllerProcess(this.server, this.clock, (writing) => {
      this.invariants.author = writing ? 'controller' : 'others';
    });
  }

  async start(): Promise<void> {
    await create(this, kinds.node, { metadata: { name: nodeName } });
    await this.agent.beat();
    await this.#leader.start();
    await this.request();
    await this.settle();
  }

  close(): void {
    this.#leader.end();
    this.#former?.end();
  }

  /** Lets the caches take in what reaches them, and throws what an invariant found. */
  async settle(): Promise<void> {
    await breathe();
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** The user's request, or the same once more after it is gone. */
  async request(): Promise<void> {
    const { backoffLimit, deletionPolicy, keepsJobs, kind } = this.#request;
    const job = {
      backoffLimit,
      activeDeadlineSeconds: deadlineSeconds,
      ...(keepsJobs ? { ttlSecondsAfterFinished: 600 } : {}),
    };
    if (kind === 'checkpoint') {
      const identity = { model: 'm', backendFramework: 'vllm' };
      const manifest = checkpointManifest('one', job, { identity });
      await create(this, kinds.dynamoCheckpoint, manifest);
      return;
    }
    if (kind === 'snapshotJob') {
      const spec = { activeDeadlineSeconds: deadlineSeconds };
      await create(this, kinds.snapshotJob, snapshotJobManifest('one', spec));
      return;
    }
    await this.pod();
    const spec = { deadlineSeconds, deletionPolicy };
    await create(this, kinds.podSnapshot, snapshotManifest('one', { name: 'web' }, spec));
  }

  /** The pod of a user, or the next one of its name. */
  pod = (): Promise<boolean> => create(this, kinds.pod, podObject('web', { node: nodeName }));

  /** Somebody makes an object whose name the controller wants. */
  squat = (pick: number): Promise<void> => squat(this, this.invariants.foreign, pick);

  remove = (kind: (typeof kinds)[keyof typeof kinds], pick: number): Promise<void> =>
    remove(this, kind, pick);
  cancel = (pick: number): Promise<void> => cancel(this, pick);

  /** One reconcile of the leader; a crash in it is followed by a new process. */
  async turn(pick: number, around?: Around): Promise<boolean> {
    const turned = await this.#survive(() => this.#leader.turn(pick, around));
    await this.settle();
    return turned;
  }

  /** One reconcile of the process that led before. */
  async formerTurn(pick: number): Promise<void> {
    await this.#former?.turn(pick);
    await this.settle();
  }

  async #survive(work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      await this.crash();
      return true;
    }
  }

  /** The leader dies and a new one starts. */
  async crash(): Promise<void> {
    this.#leader.end();
    this.#leader = this.#process();
    await this.#leader.start();
    await this.settle();
  }

  /** Another replica leads; what led before stands still with what its caches show, and may wake up again. */
  async takeOver(): Promise<void> {
    this.#former?.end();
    this.invariants.twoAtWork = true;
    this.#former = this.#leader;
    for (const kind of Object.values(kinds)) this.#former.kube.gate(kind.kind).close();
    this.#leader = this.#process();
    await this.#leader.start();
    await this.settle();
  }

  gate(pick: number) {
    const all = [
      kinds.dynamoCheckpoint,
      kinds.podSnapshot,
      kinds.podSnapshotContent,
      kinds.job,
      kinds.pod,
      kinds.snapshotJob,
    ];
    return this.#leader.kube.gate(all[pick % all.length]?.kind ?? '');
  }

  loseWakeUp(pick: number): void {
    this.#leader.loseWakeUp(pick);
  }

  /** All streams break; what happened meanwhile is only found by a new list. */
  async cutStreams(): Promise<void> {
    this.server.compact();
    this.server.closeWatches();
    await this.settle();
  }

  async advance(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
    await this.agent.beat();
    await this.settle();
  }

  /** Everything goes well for the control plane until all requests have ended; whether the agent works is told. */
  async runToTheEnd(agent: 'works' | 'hangs' | 'dead'): Promise<void> {
    this.#former?.end();
    this.#former = undefined;
    for (const kind of Object.values(kinds)) this.#leader.kube.gate(kind.kind).open();
    this.agent.alive = agent !== 'dead';
    await this.agent.beat();
    await this.settle();
    // Reflectors whose streams broke come back after a pause.
    while (!this.#leader.streaming) await this.advance(1_000);
    this.#leader.resync();
    await this.#until(agent === 'works', () => this.invariants.unended());
    this.agent.alive = true;
    await this.agent.beat();
    await this.#until(true, () => this.invariants.orphan());
    await this.#expectRest();
  }

  async #until(agentWorks: boolean, missing: () => string | undefined): Promise<void> {
    const end = this.clock.monotonicMilliseconds() + patienceMilliseconds;
    for (;;) {
      await this.#rest();
      await this.jobs.run();
      if (agentWorks) await this.agent.work();
      await this.server.collectGarbage();
      await this.settle();
      await this.#rest();
      const now = this.clock.monotonicMilliseconds();
      const problem = missing();
      if (problem === undefined) return;
      if (now > end) throw new BrokenInvariant(problem);
      const step = Math.min(10_000, Math.max(1, this.#leader.nextDueAt - now));
      this.server.bookmark();
      await this.advance(step);
      await this.jobs.enforceDeadlines();
      await this.settle();
    }
  }

  async #rest(): Promise<void> {
    for (let turns = 0; turns < 200; turns += 1) if (!(await this.turn(0))) return;
    throw new Error('the controller does not come to rest');
  }

  /** At the end a look at everything changes nothing. */
  async #expectRest(): Promise<void> {
    const before = this.server.writes.length;
    this.#leader.resync();
    await this.#rest();
    const after = this.server.writes.slice(before);
    if (after.length > 0) throw new Error(`writes at rest: ${JSON.stringify(after)}`);
  }
}

/** What the API server may answer to a call instead of doing it, or after doing it. */
export const faults = {
  crash: () => new Crash('killed'),
  conflict: () => new Failure('conflict', 'Conflict', 'the object has been modified'),
  busy: () => new Failure('retry', 'TooManyRequests', 'busy', { retryAfterMilliseconds: 1_000 }),
  broken: () => new Failure('retry', 'ConnectionFailed', 'the connection broke'),
} as const;
