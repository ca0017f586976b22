import { errorText, Failure, isFailure } from '../../core/failure.ts';
import type { DumpResult, RunningCapture, SourceContainer } from '../capture/backend.ts';
import { tellSnapshot } from './announce.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts } from './facts.ts';
import { markSettled } from './settle.ts';
import { targetStatus } from './source-check.ts';
import { podFactsOf } from './source-facts.ts';
import { confirmLease, withStoreRetries } from './store-retry.ts';
import { failedEnd, isInterruption, type WorkEnd, type WorkHooks, type WorkOrder } from './work.ts';

type FromPod = Extract<WorkOrder['from'], { start: 'pod' }>;

/** A dump that lies in staging, noted in the journal; or how the attempt ended without one. */
export type Captured =
  | { readonly ok: true; readonly facts: CaptureFacts }
  | { readonly ok: false; readonly end: WorkEnd };

const endedWith = (end: WorkEnd): Captured => ({ ok: false, end });

/**
 * Preflight, journal, freeze, dump, thaw. Whatever happens, the source runs (or its state is said to be unknown) when this resolves;
 * it never rejects.
 */
export async function capture(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  hooks: WorkHooks,
): Promise<Captured> {
  let target: SourceContainer;
  try {
    hooks.enter('Preparing');
    target = await prepare(deps, order, from, hooks);
  } catch (error) {
    const failure = hooks.stop.aborted ? hooks.stop.reason : error;
    if (failure instanceof Failure && isInterruption(failure)) {
      return endedWith({ end: 'interrupted' });
    }
    return endedWith(failedEnd(failure, 'PreflightFailed', 'Untouched'));
  }
  return dump(deps, order, from, target, hooks);
}

/** Everything that can fail and does not need the freeze. */
async function prepare(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  hooks: WorkHooks,
): Promise<SourceContainer> {
  const { stop } = hooks;
  const root = await deps.sources.resolve(from.pod, order.container, stop);
  const { earlier } = from;
  if (
    earlier !== undefined &&
    (earlier.pid !== root.pid || earlier.startTicks !== root.startTicks)
  ) {
    const message = `container ${order.container} was restarted between two attempts (process ${earlier.pid}, now ${root.pid})`;
    throw new Failure('terminal', 'ContainerChanged', message);
  }
  const containerID = targetStatus(from.pod, order.container)?.containerID ?? '';
  const target: SourceContainer = { name: order.container, containerID, root };
  const request = requestOf(deps, order, from, target);
  const { blockers } = await deps.backend.preflight(request, stop);
  if (blockers.length > 0) {
    for (const blocker of blockers) deps.metrics.blocked(blocker.check);
    const message = blockers.map((blocker) => `${blocker.check}: ${blocker.message}`).join('; ');
    throw new Failure('terminal', 'PreflightFailed', message);
  }
  await withStoreRetries(deps, stop, () => deps.artifacts.checkWritable(stop));
  if (!order.lease.current()) await confirmLease(deps, order.lease, stop);
  stop.throwIfAborted();
  return target;
}

const requestOf = (
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  container: SourceContainer,
): Parameters<OrderDeps['backend']['preflight']>[0] => ({
  container,
  podUID: from.pod.metadata.uid,
  stagingDirectory: deps.staging.pathOf(order.content.metadata.uid, order.attempt),
});

async function dump(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  target: SourceContainer,
  hooks: WorkHooks,
): Promise<Captured> {
  const { content } = order;
  const { uid } = content.metadata;
  const request = requestOf(deps, order, from, target);
  const begun: CaptureFacts = {
    startedAt: order.startedAt,
    restartCount: targetStatus(from.pod, order.container)?.restartCount ?? 0,
    bootID: deps.bootID,
    ...podFactsOf(from.pod, order.container),
  };
  const startedAt = deps.clock.monotonicMilliseconds();
  let running: RunningCapture | undefined;
  try {
    deps.journal.begin({
      contentUID: uid,
      contentName: content.metadata.name,
      namespace: content.spec.snapshotRef.namespace,
      snapshotName: content.spec.snapshotRef.name,
      podUID: from.pod.metadata.uid,
      podName: from.pod.metadata.name,
      container: order.container,
      attempt: order.attempt,
      step: 'staging',
      stagingDirectory: request.stagingDirectory,
      criu: undefined,
      source: target.root,
      fence: order.lease.fence,
      facts: formatFacts(begun),
    });
    await deps.staging.create(request.stagingDirectory);
    hooks.stop.throwIfAborted();
    hooks.enter('Freezing');
    const note = `freezing container ${order.container} of pod ${from.pod.metadata.name}`;
    tellSnapshot(deps.announce, content, { type: 'Normal', reason: 'Freezing', note });
    running = await deps.backend.start(
      request,
      async (criu) => {
        deps.journal.update(uid, { step: 'dumping', criu });
        // The last moment at which turning back costs the source nothing.
        hooks.stop.throwIfAborted();
      },
      hooks.stop,
    );
    await running.held();
    hooks.stop.throwIfAborted();
    const result = await running.release(hooks.stop);
    hooks.thawed();
    deps.metrics.froze(result.freezeMilliseconds);
    deps.metrics.dumped(deps.clock.monotonicMilliseconds() - startedAt);
    return { ok: true, facts: await noteDump(deps, uid, request.stagingDirectory, begun, result) };
  } catch (error) {
    const end = await undo(deps, order, running, hooks.stop.aborted ? hooks.stop.reason : error);
    hooks.thawed();
    return endedWith(end);
  }
}

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
): Promise<CaptureFacts> {
  const files = [...(await deps.staging.files(stagingDirectory))];
  const facts: CaptureFacts = { ...begun, dump: result, files };
  deps.journal.update(uid, { step: 'dumped', facts: formatFacts(facts) });
  return facts;
}

/** Ends a dump that failed or was stopped: the source is thawed and seen to run before anything else is said. */
async function undo(
  deps: OrderDeps,
  order: WorkOrder,
  running: RunningCapture | undefined,
  error: unknown,
): Promise<WorkEnd> {
  const { uid } = order.content.metadata;
  const failure =
    error instanceof Failure
      ? error
      : new Failure('terminal', 'CheckpointFailed', errorText(error), { cause: error });
  const interrupted = isInterruption(failure);
  try {
    await running?.abort(failure);
    const left = deps.journal.find(uid);
    if (left !== undefined) await markSettled(deps, left, interrupted ? 'spare' : 'count');
  } catch (abortError) {
    // The intent stays as it is, so the order is settled again before anything else happens to it.
    deps.metrics.violated('FailureNeverKillsSource');
    const detail = isFailure(abortError) ? abortError.message : errorText(abortError);
    deps.log.error({ contentUID: uid, error: detail }, 'the source was not seen to run on');
    if (interrupted) return { end: 'interrupted' };
    return failedEnd(failure, 'CheckpointFailed', 'Unknown');
  }
  if (interrupted) return { end: 'interrupted' };
  return failedEnd(failure, 'CheckpointFailed', running === undefined ? 'Untouched' : 'Running');
}
