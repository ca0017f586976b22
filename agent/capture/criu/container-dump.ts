import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { errorText, Failure } from '../../../core/failure.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive, readStatus } from '../../proc/process-table.ts';
import type { DumpedContainer } from '../backend.ts';
import { dumpLogName } from './arguments.ts';
import { cutWrites } from './cut.ts';
import { launchExitCodes } from './hold.ts';
import type { Launched } from './launch.ts';
import { decisiveLines, millisecondsFrozenBeforeHold } from './log.ts';
import { mendTimers } from './mend-timers.ts';
import type { PlannedMount } from './mount-plan.ts';
import { type PageReceiver, receivePages } from './page-server/receiver.ts';
import type { Source } from './source.ts';
import { namesOf } from './staging-names.ts';
import { ensureRunning, type Outcome, sendSignal } from './tree-state.ts';

/** One container of a capture: its CRIU running (or about to), and everything known when it began. */
export type ContainerRequest = {
  readonly name: string;
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

/** What is known when CRIU has ended and the container was looked after. */
export type End = Outcome & {
  readonly exitCode: number | undefined;
  /** When CRIU ended, on our monotonic clock. */
  readonly monotonic: number;
};

type Moment = { readonly monotonic: number; readonly wall: number };

/** The end of a capture is never cut short: CRIU ends by itself, and until then nothing is known of the source. */
const never = new AbortController().signal;

/** The dump of one container as the agent drives it. CRIU was told to begin. */
export class ContainerDump {
  readonly request: ContainerRequest;
  /** When the hold was reached; undefined when CRIU ended before. Never rejects. */
  readonly held: Promise<Moment | undefined>;
  /** CRIU's end, then every process running, then nothing left behind. */
  readonly end: Promise<End>;
  readonly #deps: { readonly procRoot: string; readonly clock: Clock };
  readonly #pages: PageReceiver | undefined;

  constructor(
    deps: { readonly procRoot: string; readonly clock: Clock },
    request: ContainerRequest,
  ) {
    this.#deps = deps;
    this.request = request;
    const { pages, held } = request.launched;
    this.#pages = pages === undefined ? undefined : receivePages(pages, this.#imagesDirectory);
    this.held = held.then((reached) => {
      const { clock } = deps;
      return reached
        ? { monotonic: clock.monotonicMilliseconds(), wall: clock.wallMilliseconds() }
        : undefined;
    });
    this.end = this.#settle();
    // Whoever drives the capture hears of it; nobody asking yet must not end the agent.
    this.end.catch(() => undefined);
  }

  /** Somebody holds the container now. */
  async isStopped(): Promise<boolean> {
    const status = await readStatus(this.#deps.procRoot, this.request.root.pid);
    return (status?.tracerPid ?? 0) !== 0;
  }

  /** While the tree is seized this answer stays true. */
  isAlive(): Promise<boolean> {
    return isAlive(this.#deps.procRoot, this.request.root);
  }

  /** Makes CRIU fail wherever it is: at the hold by the word, in a dump by taking away what it writes to. Idempotent. */
  async interrupt(): Promise<void> {
    this.request.launched.refuse();
    this.#pages?.close();
    await cutWrites(this.#deps.procRoot, this.request.launched.process);
  }

  /** What the dump left. `frozenSince`, `thawedAt`: on our monotonic clock. Call it when CRIU has ended well, or give a moment at which it still holds. */
  async result(stillFrozen: number | undefined): Promise<{
    readonly dumped: DumpedContainer;
    readonly frozenSince: number;
    readonly thawedAt: number;
  }> {
    await this.#pages?.complete;
    const held = await this.held;
    const thawedAt = stillFrozen ?? (await this.end).monotonic;
    const before = millisecondsFrozenBeforeHold(await this.#log());
    if (held === undefined || before === undefined) {
      throw new Failure('retry', 'CheckpointFailed', 'the log of the dump is incomplete');
    }
    await stat(`${this.#imagesDirectory}/inventory.img`);
    await mendTimers(this.#imagesDirectory);
    const { name, mounts, source, options } = this.request;
    const { images, rootfs } = namesOf(name);
    // One clock, ours: the hold and CRIU's end as seen here, and the distance of the hold from the first stop as CRIU counted it.
    const frozenSince = held.monotonic - before;
    const dumped = {
      name,
      freezeMilliseconds: Math.ceil(thawedAt - frozenSince),
      frozenAt: new Date(held.wall - before).toISOString(),
      imagesDirectory: images,
      rootfsTar: rootfs,
      mounts,
      stdio: source.stdio,
      options,
    };
    return { dumped, frozenSince, thawedAt };
  }

  /** What went wrong, in CRIU's words. `source`: what state the source is in. */
  async failure(what: string, source: string): Promise<Failure> {
    const { exitCode } = await this.end;
    if (exitCode === launchExitCodes.locked) {
      const message = `another capture of this container is going on; ${source}`;
      return new Failure('retry', 'CheckpointFailed', message);
    }
    const trouble = this.#pages?.trouble();
    if (trouble !== undefined) {
      return new Failure(trouble.kind, trouble.reason, `${trouble.message}; ${source}`);
    }
    const { stagingDirectory, name } = this.request;
    const output = `${stagingDirectory}/${namesOf(name).output}`;
    const said = (await this.#log()) || (await readFile(output, 'utf8').catch(errorText));
    const lines = decisiveLines(said).join('; ');
    const message = `${what} (criu exited with ${exitCode ?? 'a signal'}); ${source}: ${lines}`;
    return new Failure('retry', 'CheckpointFailed', message);
  }

  get #imagesDirectory(): string {
    return `${this.request.stagingDirectory}/${namesOf(this.request.name).images}`;
  }

  async #settle(): Promise<End> {
    const { launched, root, stoppedBefore, cleanUp } = this.request;
    const { exitCode } = await launched.ended;
    const monotonic = this.#deps.clock.monotonicMilliseconds();
    this.#pages?.close();
    try {
      // CRIU never ran: whatever stops the source now is somebody else's capture, which looks after it.
      if (exitCode === launchExitCodes.locked || exitCode === launchExitCodes.neverStarted) {
        return { exitCode, monotonic, sourceRuns: true, stopped: [] };
      }
      const deps = { ...this.#deps, sendSignal };
      const outcome = await ensureRunning(deps, root, stoppedBefore, never);
      return { exitCode, monotonic, ...outcome };
    } finally {
      await cleanUp();
    }
  }

  #log(): Promise<string> {
    return readFile(`${this.#imagesDirectory}/${dumpLogName}`, 'utf8').catch(() => '');
  }
}
