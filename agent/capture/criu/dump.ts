import type { Clock } from '../../../core/clock.ts';
import { Failure } from '../../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import type { CaptureRequest, DumpResult, KeptCapture, RunningCapture } from '../backend.ts';
import { commitHolds } from './committed-hold.ts';
import type { ContainerDump, End } from './container-dump.ts';
import { packFiles } from './files.ts';
import { FreezeWatch } from './freeze-watch.ts';
import { launchExitCodes } from './hold.ts';
import type { PlannedVolume } from './mount-plan.ts';
import { measureStaging, volumeTarName } from './staging-names.ts';

export type DumpDeps = {
  readonly procRoot: string;
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
  readonly clock: Clock;
  readonly criuVersion: string;
};

/** One capture: every CRIU running (or about to). */
export type DumpRequest = {
  readonly stagingDirectory: string;
  readonly podUID: string;
  readonly containers: readonly ContainerDump[];
  readonly volumes: readonly PlannedVolume[];
  readonly watched: Pick<CaptureRequest, 'freezeBudgetSeconds' | 'onProgress'>;
  /** Called once after every CRIU has ended. */
  readonly cleanUp: () => Promise<void>;
};

/** A hold that hears nothing for its limit gives up; it hears this often that the agent is still at work. */
const waitWordMilliseconds = 30_000;

/** The hold answers or is gone, and either is soon. */
const never = new AbortController().signal;

const overBudget = (seconds: number, howFar: string): Failure =>
  new Failure(
    'terminal',
    'FreezeBudgetExceeded',
    `the freeze lasted longer than spec.freezeBudgetSeconds (${seconds}); ${howFar}`,
  );

/**
 * A capture as the agent drives it: one CRIU for each container. None dumps anything before every container stands still (the first hold),
 * none lets its container go before every one is dumped and the files are packed (the second): memory and files are of one instant. When one
 * fails, all are made to, and every process runs on.
 */
export class CriuDump implements RunningCapture {
  readonly #deps: DumpDeps;
  readonly #request: DumpRequest;
  readonly #ends: Promise<readonly End[]>;
  readonly #interrupted = new AbortController();
  readonly #watch: FreezeWatch;
  /** The container whose CRIU ended first without having reached the hold: the others were cut short because of it. */
  #failed: ContainerDump | undefined;
  /** The holds were told to finish, or to wait for a decision: from here on nothing can be undone, and CRIU is left alone. */
  #told = false;
  #stopSaying: () => void = () => undefined;

  constructor(deps: DumpDeps, request: DumpRequest) {
    this.#deps = deps;
    this.#request = request;
    this.#watch = this.#watchFreeze();
    this.#ends = this.#settle();
    // Whoever calls release, abort or held hears of it; nobody calling yet must not end the agent.
    this.#ends.catch(() => undefined);
    void this.#beginTogether();
    this.#stopSaying = deps.clock.after(waitWordMilliseconds, () => this.#sayWait());
    for (const container of request.containers) {
      this.#stopAllIfItFails(container).catch(() => undefined);
    }
  }

  async held(): Promise<void> {
    const moments = await Promise.all(this.#request.containers.map(({ held }) => held));
    if (moments.every((moment) => moment !== undefined)) return;
    await this.#ends;
    this.#interrupted.signal.throwIfAborted();
    throw await this.#failure(this.#failed, 'the dump failed');
  }

  async release(signal: AbortSignal): Promise<DumpResult> {
    await this.#pack(signal);
    const { containers } = this.#request;
    this.#told = true;
    this.#stopSaying();
    for (const { request } of containers) request.launched.go();
    const ends = await this.#ends;
    const failed = ends.findIndex(({ exitCode }) => exitCode !== 0);
    if (failed >= 0) throw await this.#failure(containers[failed], 'the dump failed at its end');
    const stopped = ends.findIndex((end) => end.stopped.length > 0);
    if (stopped >= 0) throw await this.#failure(containers[stopped], 'the dump ended');
    const result = await this.#result(undefined);
    this.#checkBudget(result.freezeMilliseconds);
    return result;
  }

  async keep(signal: AbortSignal): Promise<KeptCapture> {
    await this.#pack(signal);
    const broken = new AbortController();
    const breakOff = (why: unknown): void => {
      if (!this.#told) broken.abort(why);
    };
    const interrupted = this.#interrupted.signal;
    interrupted.addEventListener('abort', () => breakOff(interrupted.reason), { once: true });
    for (const container of this.#request.containers) {
      this.#letGoIfItEnds(container)
        .then(breakOff)
        .catch((error: unknown) => breakOff(error));
    }
    const dump = await this.#result(this.#deps.clock.monotonicMilliseconds());
    return { dump, broken: broken.signal };
  }

  /** One that does not stay frozen runs on, so the rest of the source does as well. */
  async #letGoIfItEnds(container: ContainerDump): Promise<Failure> {
    await container.end;
    if (!this.#told) await this.#interruptAll();
    return this.#failure(container, 'the source did not stay frozen');
  }

  async commit(): Promise<boolean> {
    if (this.#interrupted.signal.aborted) return false;
    // First, so that no limit refuses what is about to be answered.
    this.#told = true;
    this.#stopSaying();
    const all = this.#request.containers.map(({ request }) => request.launched.process);
    this.#told = await commitHolds(this.#deps, all, never).catch(() => false);
    return this.#told;
  }

  /** Captures what is not memory; where that fails the source runs on before this rejects. */
  async #pack(signal: AbortSignal): Promise<void> {
    await this.held();
    const { containers } = this.#request;
    const both = AbortSignal.any([signal, this.#interrupted.signal]);
    try {
      const packing = { ...this.#deps, ...this.#request };
      const sources = containers.map(({ request }) => request);
      await packFiles(packing, sources, this.#request.volumes, both);
      for (const container of containers) {
        if (await container.isAlive()) continue;
        throw new Failure('terminal', 'ContainerChanged', 'the source ended before its dump did');
      }
      both.throwIfAborted();
    } catch (error) {
      for (const { request } of containers) request.launched.refuse();
      await this.#ends;
      throw error;
    }
  }

  async abort(why: Failure): Promise<void> {
    await this.#interrupt(why);
    const ends = await this.#ends;
    const stopped = ends.findIndex((end) => end.stopped.length > 0);
    if (stopped >= 0) throw await this.#failure(this.#request.containers[stopped], why.message);
  }

  /** The first hold: no container is dumped while another one still runs. A single one has nobody to wait for. */
  async #beginTogether(): Promise<void> {
    const all = this.#request.containers.map(({ request }) => request.launched);
    if (all.length === 1) return;
    const seized = await Promise.all(all.map((launched) => launched.seized));
    if (seized.every(Boolean)) for (const launched of all) launched.proceed();
  }

  /** Says again and again that the agent lives: a small container is held for as long as the memory of a large one takes. */
  #sayWait(): void {
    for (const { request } of this.#request.containers) request.launched.wait();
    this.#stopSaying = this.#deps.clock.after(waitWordMilliseconds, () => this.#sayWait());
  }

  async #stopAllIfItFails(container: ContainerDump): Promise<void> {
    if ((await container.held) !== undefined || this.#failed !== undefined) return;
    this.#failed = container;
    await this.#interruptAll();
  }

  /** The first reason counts. */
  async #interrupt(why: Failure): Promise<void> {
    if (this.#told) return;
    if (!this.#interrupted.signal.aborted) this.#interrupted.abort(why);
    await this.#interruptAll();
  }

  async #interruptAll(): Promise<void> {
    await Promise.all(this.#request.containers.map((container) => container.interrupt()));
  }

  #watchFreeze(): FreezeWatch {
    const { stagingDirectory, watched, containers } = this.#request;
    const budget = watched.freezeBudgetSeconds;
    const stop = (why: Failure): void => {
      // Without the program that sets the limit it ends at the hold, as any abort does then.
      this.#interrupt(why).catch(() => undefined);
    };
    const watch = new FreezeWatch(
      {
        clock: this.#deps.clock,
        isStopped: async () =>
          (await Promise.all(containers.map((container) => container.isStopped()))).some(Boolean),
        measure: () => measureStaging(stagingDirectory),
        onProgress: (bytes) => watched.onProgress?.(bytes),
        onOver: (bytes) => stop(overBudget(budget ?? 0, `${formatBytes(bytes)} were written`)),
        onStalled: (milliseconds) => {
          const message = `CRIU wrote nothing for ${formatMilliseconds(milliseconds)}; it was stopped`;
          stop(new Failure('retry', 'CheckpointFailed', message));
        },
      },
      budget === undefined ? undefined : budget * 1000,
    );
    void Promise.all(containers.map(({ held }) => held)).then((moments) => {
      if (moments.every((moment) => moment !== undefined)) watch.held();
    });
    return watch;
  }

  /** The time CRIU takes to set the tree running cannot be cut short, but what is kept has kept its budget. */
  #checkBudget(freezeMilliseconds: number): void {
    const budget = this.#request.watched.freezeBudgetSeconds;
    if (budget === undefined || freezeMilliseconds <= budget * 1000) return;
    throw overBudget(budget, `it lasted ${formatMilliseconds(freezeMilliseconds)} in the end`);
  }

  async #settle(): Promise<readonly End[]> {
    const settled = await Promise.allSettled(this.#request.containers.map(({ end }) => end));
    this.#watch.end();
    this.#stopSaying();
    await this.#request.cleanUp();
    return settled.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
  }

  /** `stillFrozen`: a moment at which the source stood still, for one that is not let go. */
  async #result(stillFrozen: number | undefined): Promise<DumpResult> {
    const results = await Promise.all(
      this.#request.containers.map((container) => container.result(stillFrozen)),
    );
    const frozenSince = Math.min(...results.map((result) => result.frozenSince));
    const thawedAt = Math.max(...results.map((result) => result.thawedAt));
    return {
      freezeMilliseconds: Math.ceil(thawedAt - frozenSince),
      containers: results.map(({ dumped }) => dumped),
      volumeTars: this.#request.volumes.map(({ name }) => ({ name, path: volumeTarName(name) })),
      criuVersion: this.#deps.criuVersion,
    };
  }

  /** What went wrong with one container, and what state the whole source is in. Waits for every CRIU's end. */
  async #failure(failed: ContainerDump | undefined, what: string): Promise<Failure> {
    const ends = await this.#ends;
    const { containers } = this.#request;
    const container = failed ?? containers[0];
    if (container === undefined) return new Failure('terminal', 'CheckpointFailed', what);
    const source = stateOf(ends);
    const failure = await container.failure(what, source);
    const message =
      containers.length === 1
        ? failure.message
        : `container ${container.request.name}: ${failure.message}`;
    // No other try can find what has ended.
    return ends.some((end) => !end.sourceRuns && end.stopped.length === 0)
      ? new Failure('terminal', 'ContainerChanged', message)
      : new Failure(failure.kind, failure.reason, message);
  }
}

/** The words for what became of a source. */
function stateOf(ends: readonly End[]): string {
  const stopped = ends.flatMap((end) => end.stopped);
  if (stopped.length > 0) return `the source is still stopped (pid ${stopped.join(', ')})`;
  if (ends.every(({ exitCode }) => exitCode === launchExitCodes.locked)) {
    return 'the source was not touched';
  }
  return ends.every((end) => end.sourceRuns) ? 'the source runs' : 'the source has ended';
}
