import type { SourceState } from '../../core/api/stages.ts';
import { sleep } from '../../core/clock.ts';
import { errorText, Failure } from '../../core/failure.ts';
import type {
  CaptureRequest,
  DumpResult,
  RunningCapture,
  SourceContainer,
} from '../capture/backend.ts';
import { tellSnapshot } from './announce.ts';
import { type FromPod, factsAtStart, intentOf, requestOf } from './begin.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts } from './facts.ts';
import { publishHeld } from './publish-held.ts';
import { markSettled } from './settle.ts';
import { nameContainers, pinsOf, type Verdict, viewSource } from './source-check.ts';
import { readPod } from './source-pod.ts';
import {
  failedEnd,
  isInterruption,
  referenceKeyOf,
  type WorkEnd,
  type WorkHooks,
  type WorkOrder,
} from './work.ts';

/** What is known when nothing but the freeze is left to do. `estimatedBytes`: what the dump writes at most, for progress. */
export type Prepared = {
  readonly targets: readonly SourceContainer[];
  readonly estimatedBytes: number;
};

/** Ends that were asked for, or that a limit set: whatever the source did meanwhile is not the reason. */
const stops: readonly string[] = ['Cancelled', 'DeadlineExceeded', 'FreezeBudgetExceeded'];

/**
 * Journal, freeze, dump, thaw; of a source that is to be ended also the publish, and no thaw. Undefined when the dump lies in staging, noted in the journal; else how the attempt ended without one.
 * Whatever happens, the source runs, or its state is said to be unknown, when this resolves; it never rejects.
 */
export async function dump(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  { targets, estimatedBytes }: Prepared,
  hooks: WorkHooks,
): Promise<WorkEnd | undefined> {
  const { content } = order;
  const { uid } = content.metadata;
  let held = false;
  const request: CaptureRequest = {
    ...requestOf(deps, order, from, targets),
    onProgress: (bytesDone) => {
      // A source that stays frozen is watched on; what counts then is how far the publish is.
      if (held) return;
      hooks.progressed({ bytesDone, bytesTotal: Math.max(bytesDone, estimatedBytes) });
    },
  };
  const begun = factsAtStart(deps, order, from);
  const startedAt = deps.clock.monotonicMilliseconds();
  let running: RunningCapture | undefined;
  try {
    const { stagingDirectory } = request;
    deps.journal.begin(intentOf(order, from, targets, stagingDirectory, 'staging', begun));
    await deps.staging.create(request.stagingDirectory);
    hooks.stop.throwIfAborted();
    hooks.enter('Freezing');
    const note = `freezing ${nameContainers(order.containers)} of pod ${from.pod.metadata.name}`;
    tellSnapshot(deps.announce, content, { type: 'Normal', reason: 'Freezing', note });
    running = await deps.backend.start(
      request,
      async (processes) => {
        deps.journal.update(uid, { step: 'dumping', processes });
        // The last moment at which turning back costs the source nothing.
        hooks.stop.throwIfAborted();
      },
      hooks.stop,
    );
    await reachHold(running, hooks.stop);
    if (content.spec.afterCapture === 'Terminate') {
      held = true;
      return await publishHeld(deps, order, running, begun, hooks);
    }
    const result = await running.release(hooks.stop);
    hooks.thawed();
    deps.metrics.froze(result.freezeMilliseconds);
    deps.freezeOutlook.dumped(estimatedBytes, result.freezeMilliseconds);
    deps.metrics.dumped(deps.clock.monotonicMilliseconds() - startedAt);
    const facts = { ...begun, stageMilliseconds: hooks.spent() };
    await noteDump(deps, uid, request.stagingDirectory, facts, result);
    return undefined;
  } catch (error) {
    const why = hooks.stop.aborted ? hooks.stop.reason : error;
    const end = await undo(deps, order, from, running, why);
    hooks.thawed();
    return end;
  }
}

/** Waits for the hold; a stop ends the dump wherever it is, and not only there. */
async function reachHold(running: RunningCapture, stop: AbortSignal): Promise<void> {
  const cut = (): void => {
    // Asked for again, and waited for, when the dump is undone.
    running.abort(failureOf(stop.reason)).catch(() => undefined);
  };
  if (stop.aborted) cut();
  stop.addEventListener('abort', cut, { once: true });
  try {
    await running.held();
    stop.throwIfAborted();
  } finally {
    stop.removeEventListener('abort', cut);
  }
}

const failureOf = (why: unknown): Failure =>
  why instanceof Failure
    ? why
    : new Failure('terminal', 'CheckpointFailed', errorText(why), { cause: why });

/**
 * The dump is complete: from here a restarted agent publishes it instead of freezing the source again. Its files need not be on disk for
 * that, only in the page cache of this boot; making them durable twice, here and in the store, would double the writes.
 */
async function noteDump(
  deps: OrderDeps,
  uid: string,
  stagingDirectory: string,
  begun: CaptureFacts,
  result: DumpResult,
): Promise<void> {
  const files = [...(await deps.staging.files(stagingDirectory))];
  const facts: CaptureFacts = { ...begun, dump: result, files };
  deps.journal.update(uid, { step: 'dumped', facts: formatFacts(facts) });
}

/** Ends a dump that failed or was stopped: the source is thawed and seen to run before anything else is said. */
async function undo(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  running: RunningCapture | undefined,
  why: unknown,
): Promise<WorkEnd> {
  const { uid } = order.content.metadata;
  const failure = failureOf(why);
  const interrupted = isInterruption(failure);
  const stopped = interrupted || stops.includes(failure.reason);
  let sourceState: SourceState = running === undefined ? 'Untouched' : 'Running';
  try {
    await running?.abort(failure);
    const left = deps.journal.find(uid);
    if (left?.step === 'holding' || left?.step === 'committing') await discardVoid(deps, order);
    if (left !== undefined) await markSettled(deps, left, interrupted ? 'spare' : 'count');
  } catch (error) {
    // The intent stays as it is, so the order is settled again before anything else happens to it.
    sourceState = 'Unknown';
    const fields = { contentUID: uid, error: errorText(error) };
    deps.log.error(fields, 'the source was not seen to run on');
  }
  if (interrupted) return { end: 'interrupted' };
  const sourceEnded = failure.reason === 'ContainerChanged';
  const lost = stopped ? undefined : await lostSource(deps, order, from, sourceEnded);
  if (lost === undefined && sourceEnded) {
    return failedEnd(failure, 'ContainerChanged', 'Unknown');
  }
  if (lost === undefined) {
    if (sourceState === 'Unknown') deps.metrics.violated('FailureNeverKillsSource');
    return failedEnd(failure, 'CheckpointFailed', sourceState);
  }
  const message = `${lost.message}; ${failure.message}`;
  return { end: 'failed', reason: lost.reason, message, sourceState: 'Unknown' };
}

/**
 * The source runs on, so what was published to end it is void. Only by the holder: who lost the lease might take away what another one published.
 * Where the store does not answer it is discarded later, by whoever goes on with the order or ends it.
 */
async function discardVoid(deps: OrderDeps, order: WorkOrder): Promise<void> {
  const { content, lease, attempt } = order;
  if (!lease.current()) return;
  const staging = deps.staging.pathOf(content.metadata.uid, attempt);
  try {
    await deps.artifacts.discard(referenceKeyOf(content), staging, never);
  } catch (error) {
    const fields = { contentUID: content.metadata.uid, error: errorText(error) };
    deps.log.warn(fields, 'the artifact of a source that runs on is not discarded yet');
  }
}

/** Not cut short by what has already ended the attempt. */
const never = new AbortController().signal;

/**
 * A dump fails as well when its source was deleted, restarted or has ended: then that is the reason to tell. Of a source that is known to have
 * ended the kubelet says how, a second or two later.
 */
async function lostSource(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  sourceEnded: boolean,
): Promise<Verdict | undefined> {
  const { clock } = deps;
  const until = clock.monotonicMilliseconds() + (sourceEnded ? wordLimitMilliseconds : 0);
  try {
    for (;;) {
      const pod = await readPod(deps, order.content, AbortSignal.timeout(lookLimitMilliseconds));
      const view = viewSource(order.content, pod, pinsOf(from.pod, order.containers));
      if (view.state === 'lost') return view;
      if (clock.monotonicMilliseconds() >= until) return undefined;
      await sleep(clock, lookEveryMilliseconds, never);
    }
  } catch (error) {
    deps.log.warn(
      { error: errorText(error) },
      'the source of a failed dump could not be looked at',
    );
    return undefined;
  }
}

/** The reason is not worth more time than this: an API server that is away must not hold the order up. */
const lookLimitMilliseconds = 2000;
const lookEveryMilliseconds = 250;
/** How long the kubelet gets to say how a container ended. */
const wordLimitMilliseconds = 10_000;
