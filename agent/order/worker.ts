import { timestamp } from '../../core/api/conditions.ts';
import type { Progress, StageMilliseconds } from '../../core/api/pod-snapshot.ts';
import type { Failure } from '../../core/failure.ts';
import { capture } from './capture.ts';
import type { OrderDeps } from './deps.ts';
import type { WorkStage, WorkView } from './observed.ts';
import { publish } from './publish.ts';
import type { PublishTurns } from './publish-turns.ts';
import { isResumable } from './reserve.ts';
import type { Claim } from './turn.ts';
import { failedEnd, type WorkEnd, type WorkHooks, type WorkOrder } from './work.ts';

/** What a worker tells the process around it; both only enqueue or forward. */
export type WorkListener = {
  /** Stage or end changed. */
  readonly changed: () => void;
  /** The node may dump for somebody else. */
  readonly thawed: () => void;
  readonly publishTurns: PublishTurns;
  /** The order's claim on a turn. */
  readonly claim: Claim;
};

const spentOn = {
  Preparing: 'preparing',
  Freezing: 'freezing',
  Publishing: 'publishing',
} as const satisfies Record<WorkStage, keyof StageMilliseconds>;

/** One attempt at one order, running beside the reconciles: they start it, look at it and cancel it, and never wait for it. */
export class CaptureWork {
  readonly #deps: OrderDeps;
  readonly #order: WorkOrder;
  readonly #listener: WorkListener;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  #stage: WorkStage;
  #bytes: { readonly done: number; readonly total: number } | undefined;
  #stageSince: number;
  #end: WorkEnd | undefined;
  #waitsFor: string | undefined;
  /** Of the stages before this one. */
  #spent: StageMilliseconds;

  constructor(deps: OrderDeps, order: WorkOrder, listener: WorkListener) {
    this.#deps = deps;
    this.#order = order;
    this.#listener = listener;
    this.#stage = order.from.start === 'pod' ? 'Preparing' : 'Publishing';
    this.#stageSince = deps.clock.monotonicMilliseconds();
    this.#spent = order.spent;
    this.#finished = this.#run();
  }

  get #uid(): string {
    return this.#order.content.metadata.uid;
  }

  get end(): WorkEnd | undefined {
    return this.#end;
  }

  /** Resolves when it has ended, whichever way. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** Asks it to stop; the first reason counts. A freeze is ended from inside, so this takes as long as that takes. */
  cancel(why: Failure): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(why);
  }

  view(): WorkView {
    if (this.#end?.end === 'failed') {
      const { reason, message, sourceState } = this.#end;
      return { state: 'failed', reason, message, sourceState };
    }
    if (this.#end !== undefined) return { state: 'none' };
    return {
      state: 'running',
      stage: this.#stage,
      cancelling: this.#stop.signal.aborted,
      progress: this.#progress(),
      waitsFor: this.#waits(),
    };
  }

  #waits(): string | undefined {
    const turn = this.#listener.publishTurns.view(this.#listener.claim.uid);
    if (turn.state !== 'queued') return this.#waitsFor;
    return `the source runs; place ${turn.place} in the queue to publish on this node; publishes at a time: ${turn.limit}`;
  }

  async #run(): Promise<void> {
    const { lost } = this.#order.lease;
    const onLost = (): void => {
      this.#deps.metrics.leaseLost();
      this.#stop.abort(lost.reason);
    };
    if (lost.aborted) onLost();
    lost.addEventListener('abort', onLost, { once: true });
    try {
      this.#end = await this.#work();
    } catch (error) {
      // The parts do not reject; if one does, the order must still end and the state of the source be looked at by a person.
      this.#deps.log.error({ error: String(error) }, 'the worker of an order broke');
      this.#end = failedEnd(error, 'CheckpointFailed', 'Unknown');
    } finally {
      this.#close(spentOn[this.#stage]);
      lost.removeEventListener('abort', onLost);
      this.#listener.publishTurns.yield(this.#listener.claim.uid);
      if (!isResumable(this.#deps, this.#order)) this.#deps.space.release(this.#uid);
      this.#listener.thawed();
      this.#listener.changed();
    }
  }

  async #work(): Promise<WorkEnd> {
    const { from } = this.#order;
    const hooks: WorkHooks = {
      stop: this.#stop.signal,
      enter: (stage) => this.#enter(stage),
      progressed: (bytes) => this.#progressed(bytes.bytesDone, bytes.bytesTotal),
      thawed: () => {
        this.#deps.space.left(this.#uid, 'staging', 0);
        this.#listener.thawed();
      },
      waitsFor: (what) => {
        this.#waitsFor = what;
        this.#listener.changed();
      },
      spent: () => this.spent(),
      publishTurn: () => this.#publishTurn(),
    };
    // One turn of the event loop, so that who started us has a hold of us before anything happens.
    await Promise.resolve();
    if (from.start === 'pod') {
      const ended = await capture(this.#deps, this.#order, from, hooks);
      if (ended !== undefined) return ended;
    }
    return publish(this.#deps, this.#order, hooks);
  }

  async #publishTurn(): Promise<void> {
    // A source that stands still until its artifact is stored waits for nobody.
    if (this.#order.content.spec.afterCapture === 'Terminate') return;
    const { claim, publishTurns, changed } = this.#listener;
    await publishTurns.take(claim, changed, this.#stop.signal);
    // Waiting is no publishing: rate and times begin now.
    this.#close('queued');
  }

  #enter(stage: WorkStage): void {
    if (stage === this.#stage) return;
    this.#close(spentOn[this.#stage]);
    this.#stage = stage;
    this.#bytes = undefined;
    this.#listener.changed();
  }

  /** Time spent in each stage until now. */
  spent(): StageMilliseconds {
    return this.#end === undefined ? this.#with(spentOn[this.#stage]) : this.#spent;
  }

  #with(stage: keyof StageMilliseconds): StageMilliseconds {
    const since = this.#deps.clock.monotonicMilliseconds() - this.#stageSince;
    return { ...this.#spent, [stage]: Math.round((this.#spent[stage] ?? 0) + since) };
  }

  /** The time since the last change of stage goes to this one. */
  #close(stage: keyof StageMilliseconds): void {
    this.#spent = this.#with(stage);
    this.#stageSince = this.#deps.clock.monotonicMilliseconds();
  }

  #progressed(done: number, total: number): void {
    const first = this.#bytes === undefined;
    this.#bytes = { done, total };
    const place = this.#stage === 'Publishing' ? 'store' : 'staging';
    this.#deps.space.left(this.#uid, place, total - done);
    // From then on the order is looked at again by itself, as long as there is progress to show.
    if (first) this.#listener.changed();
  }

  #progress(): Progress | undefined {
    if (this.#bytes === undefined) return undefined;
    const { done, total } = this.#bytes;
    const { clock } = this.#deps;
    const seconds = (clock.monotonicMilliseconds() - this.#stageSince) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.round(done / seconds) : 0;
    const left = bytesPerSecond > 0 ? ((total - done) / bytesPerSecond) * 1000 : undefined;
    return {
      bytesDone: done,
      bytesTotal: total,
      bytesPerSecond,
      ...(left === undefined
        ? {}
        : { estimatedCompletionTime: timestamp(clock.wallMilliseconds() + left) }),
    };
  }
}
