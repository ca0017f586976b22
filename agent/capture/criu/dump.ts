import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { errorText, Failure } from '../../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive, readStatus } from '../../proc/process-table.ts';
import type { CaptureRequest, DumpResult, RunningCapture } from '../backend.ts';
import { dumpLogName } from './arguments.ts';
import { cutWrites } from './cut.ts';
import { packFiles } from './files.ts';
import { FreezeWatch } from './freeze-watch.ts';
import { launchExitCodes } from './hold.ts';
import type { Launched } from './launch.ts';
import { decisiveLines, millisecondsFrozenBeforeHold } from './log.ts';
import type { PlannedMount } from './mount-plan.ts';
import { type PageReceiver, receivePages } from './page-server/receiver.ts';
import type { Source } from './source.ts';
import { measureStaging, stagingNames } from './staging-names.ts';
import { ensureRunning, type Outcome, sendSignal } from './tree-state.ts';

export type DumpDeps = {
  readonly procRoot: string;
  readonly hostRoot: string;
  readonly clock: Clock;
  readonly criuVersion: string;
};

/** One capture: CRIU running (or about to), and everything known when it began. */
export type DumpRequest = {
  readonly root: ProcessIdentity;
  readonly stagingDirectory: string;
  readonly source: Source;
  readonly mounts: readonly PlannedMount[];
  readonly options: readonly string[];
  readonly stoppedBefore: readonly ProcessIdentity[];
  readonly launched: Launched;
  readonly watched: Pick<CaptureRequest, 'freezeBudgetSeconds' | 'onProgress'>;
  /** Called once after CRIU has ended. */
  readonly cleanUp: () => Promise<void>;
};

/** What is known when CRIU has ended and the source was looked after. */
type End = Outcome & {
  readonly exitCode: number | undefined;
  /** When CRIU ended, on our monotonic clock. */
  readonly monotonic: number;
};

/** The end of a capture is never cut short: CRIU ends by itself, and until then nothing is known of the source. */
const never = new AbortController().signal;

const overBudget = (seconds: number, howFar: string): Failure =>
  new Failure(
    'terminal',
    'FreezeBudgetExceeded',
    `the freeze lasted longer than spec.freezeBudgetSeconds (${seconds}); ${howFar}`,
  );

/** A dump as the agent drives it. CRIU was told to begin. */
export class CriuDump implements RunningCapture {
  readonly process: ProcessIdentity;
  readonly #deps: DumpDeps;
  readonly #request: DumpRequest;
  readonly #held: Promise<{ readonly monotonic: number; readonly wall: number } | undefined>;
  readonly #outcome: Promise<End>;
  readonly #interrupted = new AbortController();
  readonly #watch: FreezeWatch;
  readonly #pages: PageReceiver | undefined;
  /** The hold was told to finish: from here on nothing can be undone, and CRIU is left alone. */
  #told = false;

  constructor(deps: DumpDeps, request: DumpRequest) {
    this.process = request.launched.process;
    this.#deps = deps;
    this.#request = request;
    const { pages, held } = request.launched;
    this.#pages =
      pages === undefined
        ? undefined
        : receivePages(pages, `${request.stagingDirectory}/${stagingNames.images}`);
    this.#watch = this.#watchFreeze();
    this.#held = held.then((reached) => {
      if (!reached) return undefined;
      this.#watch.held();
      const { clock } = deps;
      return { monotonic: clock.monotonicMilliseconds(), wall: clock.wallMilliseconds() };
    });
    this.#outcome = this.#settleSource();
    // Whoever calls release, abort or held hears of it; nobody calling yet must not end the agent.
    this.#outcome.catch(() => undefined);
  }

  async held(): Promise<void> {
    if ((await this.#held) !== undefined) return;
    const failure = await this.#failure('the dump failed');
    this.#interrupted.signal.throwIfAborted();
    throw failure;
  }

  async release(signal: AbortSignal): Promise<DumpResult> {
    await this.held();
    const both = AbortSignal.any([signal, this.#interrupted.signal]);
    try {
      await packFiles(this.#deps, this.#request, both);
      // The tree is seized, so this answer stays true until the word is given.
      if (!(await isAlive(this.#deps.procRoot, this.#request.root))) {
        throw new Failure('terminal', 'ContainerChanged', 'the source ended before its dump did');
      }
      both.throwIfAborted();
    } catch (error) {
      this.#request.launched.refuse();
      await this.#outcome;
      throw error;
    }
    this.#told = true;
    this.#request.launched.go();
    const outcome = await this.#outcome;
    if (outcome.exitCode !== 0) throw await this.#failure('the dump failed at its end');
    if (outcome.stopped.length > 0) throw await this.#failure('the dump ended');
    await this.#pages?.complete;
    const result = await this.#result(outcome.monotonic);
    this.#checkBudget(result.freezeMilliseconds);
    return result;
  }

  async abort(why: Failure): Promise<void> {
    await this.#interrupt(why);
    const outcome = await this.#outcome;
    if (outcome.stopped.length > 0) throw await this.#failure(why.message);
  }

  /** Makes CRIU fail wherever it is: at the hold by the word, in a dump by taking away what it writes to. The first reason counts. */
  async #interrupt(why: Failure): Promise<void> {
    if (this.#told) return;
    if (!this.#interrupted.signal.aborted) this.#interrupted.abort(why);
    this.#request.launched.refuse();
    this.#pages?.close();
    await cutWrites(this.#deps.procRoot, this.process);
  }

  #watchFreeze(): FreezeWatch {
    const { procRoot, clock } = this.#deps;
    const { root, stagingDirectory, watched } = this.#request;
    const budget = watched.freezeBudgetSeconds;
    const stop = (why: Failure): void => {
      // Without the program that sets the limit it ends at the hold, as any abort does then.
      this.#interrupt(why).catch(() => undefined);
    };
    return new FreezeWatch(
      {
        clock,
        isStopped: async () => ((await readStatus(procRoot, root.pid))?.tracerPid ?? 0) !== 0,
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
  }

  /** The time CRIU takes to set the tree running cannot be cut short, but what is kept has kept its budget. */
  #checkBudget(freezeMilliseconds: number): void {
    const budget = this.#request.watched.freezeBudgetSeconds;
    if (budget === undefined || freezeMilliseconds <= budget * 1000) return;
    throw overBudget(budget, `it lasted ${formatMilliseconds(freezeMilliseconds)} in the end`);
  }

  /** CRIU's end, then every process running, then nothing left behind. */
  async #settleSource(): Promise<End> {
    const { exitCode } = await this.#request.launched.ended;
    const monotonic = this.#deps.clock.monotonicMilliseconds();
    this.#watch.end();
    this.#pages?.close();
    try {
      // CRIU never ran: whatever stops the source now is somebody else's capture, which looks after it.
      if (exitCode === launchExitCodes.locked || exitCode === launchExitCodes.neverStarted) {
        return { exitCode, monotonic, sourceRuns: true, stopped: [] };
      }
      const outcome = await ensureRunning(
        { ...this.#deps, sendSignal },
        this.#request.root,
        this.#request.stoppedBefore,
        never,
      );
      return { exitCode, monotonic, ...outcome };
    } finally {
      await this.#request.cleanUp();
    }
  }

  async #result(endedMonotonic: number): Promise<DumpResult> {
    const held = await this.#held;
    if (held === undefined) throw await this.#failure('the dump failed');
    const { stagingDirectory, mounts, source, options } = this.#request;
    const before = millisecondsFrozenBeforeHold(await this.#log());
    if (before === undefined) throw await this.#failure('the log of the dump is incomplete');
    await stat(`${stagingDirectory}/${stagingNames.images}/inventory.img`);
    const hasVolume = mounts.some((mount) => mount.treatment === 'volume');
    return {
      // One clock, ours: the hold and CRIU's end as seen here, and the distance of the hold from the first stop as CRIU counted it.
      freezeMilliseconds: Math.ceil(endedMonotonic - held.monotonic + before),
      frozenAt: new Date(held.wall - before).toISOString(),
      imagesDirectory: stagingNames.images,
      rootfsTar: stagingNames.rootfs,
      volumeTars: hasVolume ? [{ name: 'dev-shm', path: stagingNames.sharedMemory }] : [],
      mounts,
      stdio: source.stdio,
      options,
      criuVersion: this.#deps.criuVersion,
    };
  }

  #log(): Promise<string> {
    const path = `${this.#request.stagingDirectory}/${stagingNames.images}/${dumpLogName}`;
    return readFile(path, 'utf8').catch(() => '');
  }

  /** What went wrong, in CRIU's words, and what state the source is in. Waits for CRIU's end. */
  async #failure(what: string): Promise<Failure> {
    const outcome = await this.#outcome;
    if (outcome.exitCode === launchExitCodes.locked) {
      const message = 'another capture of this container is going on; the source was not touched';
      return new Failure('retry', 'CheckpointFailed', message);
    }
    const trouble = this.#pages?.trouble();
    const output = `${this.#request.stagingDirectory}/${stagingNames.output}`;
    const said = (await this.#log()) || (await readFile(output, 'utf8').catch(errorText));
    const source =
      outcome.stopped.length > 0
        ? `the source is still stopped (pid ${outcome.stopped.join(', ')})`
        : outcome.sourceRuns
          ? 'the source runs'
          : 'the source has ended';
    if (trouble !== undefined) {
      return new Failure(trouble.kind, trouble.reason, `${trouble.message}; ${source}`);
    }
    const lines = decisiveLines(said).join('; ');
    const message = `${what} (criu exited with ${outcome.exitCode ?? 'a signal'}); ${source}: ${lines}`;
    return new Failure('retry', 'CheckpointFailed', message);
  }
}
