import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { errorText, Failure } from '../../../core/failure.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';
import type { DumpResult, RunningCapture } from '../backend.ts';
import { dumpLogName } from './arguments.ts';
import { deviceName, packDirectory } from './files.ts';
import { launchExitCodes } from './hold.ts';
import type { Launched } from './launch.ts';
import { decisiveLines, millisecondsFrozenBeforeHold } from './log.ts';
import { type PlannedMount, sharedMemoryPath } from './mount-plan.ts';
import type { Source } from './source.ts';
import { ensureRunning, type Outcome, sendSignal } from './tree-state.ts';

/** Names inside the staging directory. */
export const stagingNames = {
  images: 'criu',
  rootfs: 'rootfs.tar',
  volumes: 'volumes',
  sharedMemory: 'volumes/dev-shm.tar',
  holdScript: 'hold',
  stoppedBefore: 'stopped-before.json',
  output: 'criu.out',
} as const;

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

/** A dump as the agent drives it. CRIU was told to begin. */
export class CriuDump implements RunningCapture {
  readonly process: ProcessIdentity;
  readonly #deps: DumpDeps;
  readonly #request: DumpRequest;
  readonly #held: Promise<{ readonly monotonic: number; readonly wall: number } | undefined>;
  readonly #outcome: Promise<End>;
  readonly #abort = new AbortController();

  constructor(deps: DumpDeps, request: DumpRequest) {
    this.process = request.launched.process;
    this.#deps = deps;
    this.#request = request;
    this.#held = request.launched.held.then((held) =>
      held
        ? {
            monotonic: deps.clock.monotonicMilliseconds(),
            wall: deps.clock.wallMilliseconds(),
          }
        : undefined,
    );
    this.#outcome = this.#settleSource();
    // Whoever calls release, abort or held hears of it; nobody calling yet must not end the agent.
    this.#outcome.catch(() => undefined);
  }

  async held(): Promise<void> {
    if ((await this.#held) === undefined) throw await this.#failure('the dump failed');
  }

  async release(signal: AbortSignal): Promise<DumpResult> {
    await this.held();
    const both = AbortSignal.any([signal, this.#abort.signal]);
    try {
      await this.#packFiles(both);
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
    this.#request.launched.go();
    const outcome = await this.#outcome;
    if (outcome.exitCode !== 0) throw await this.#failure('the dump failed at its end');
    if (outcome.stopped.length > 0) throw await this.#failure('the dump ended');
    return this.#result(outcome.monotonic);
  }

  async abort(why: Failure): Promise<void> {
    this.#abort.abort(why);
    this.#request.launched.refuse();
    const outcome = await this.#outcome;
    if (outcome.stopped.length > 0) throw await this.#failure(why.message);
  }

  /** CRIU's end, then every process running, then nothing left behind. */
  async #settleSource(): Promise<End> {
    const { exitCode } = await this.#request.launched.ended;
    const monotonic = this.#deps.clock.monotonicMilliseconds();
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

  async #packFiles(signal: AbortSignal): Promise<void> {
    const { hostRoot, procRoot } = this.#deps;
    const { stagingDirectory, source, root, mounts } = this.#request;
    const layer = packDirectory(
      { base: `${hostRoot}${source.upperDirectory}`, below: [] },
      `${stagingDirectory}/${stagingNames.rootfs}`,
      async () => undefined,
      signal,
    );
    if (!mounts.some((mount) => mount.treatment === 'volume')) return layer;
    const device = source.mounts.findLast((mount) => mount.mountPoint === sharedMemoryPath)?.device;
    const sharedMemory = packDirectory(
      { base: `${procRoot}/${root.pid}/root`, below: sharedMemoryPath.split('/').slice(1) },
      `${stagingDirectory}/${stagingNames.sharedMemory}`,
      // The path lies inside the container: only the file system that its mount table names is believed.
      async (handle) => {
        const found = deviceName((await handle.stat({ bigint: true })).dev);
        if (found === device) return;
        const message = `${sharedMemoryPath} is on device ${found}, its mount says ${device}`;
        throw new Failure('terminal', 'CheckpointFailed', message);
      },
      signal,
    );
    const results = await Promise.allSettled([layer, sharedMemory]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
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
    const output = `${this.#request.stagingDirectory}/${stagingNames.output}`;
    const said = (await this.#log()) || (await readFile(output, 'utf8').catch(errorText));
    const source =
      outcome.stopped.length > 0
        ? `the source is still stopped (pid ${outcome.stopped.join(', ')})`
        : outcome.sourceRuns
          ? 'the source runs'
          : 'the source has ended';
    const lines = decisiveLines(said).join('; ');
    const message = `${what} (criu exited with ${outcome.exitCode ?? 'a signal'}); ${source}: ${lines}`;
    return new Failure('retry', 'CheckpointFailed', message);
  }
}
