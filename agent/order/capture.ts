import { Failure } from '../../core/failure.ts';
import type { Blocker } from '../capture/backend.ts';
import { findUnreachable } from '../capture/pod-checks.ts';
import { sameProcess } from '../proc/identity.ts';
import { type FromPod, factsAtStart, intentOf, requestOf } from './begin.ts';
import type { OrderDeps } from './deps.ts';
import { dump, type Prepared } from './dump.ts';
import type { CaptureFacts } from './facts.ts';
import { lookAtSource } from './look.ts';
import { reserveRoom } from './reserve.ts';
import { confirmLease, withStoreRetries } from './store-retry.ts';
import {
  failedEnd,
  isInterruption,
  referenceKeyOf,
  type WorkEnd,
  type WorkHooks,
  type WorkOrder,
} from './work.ts';

/** Everything from the running pod to a dump in staging: undefined then, else how the attempt ended without one. Never rejects. */
export async function capture(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  hooks: WorkHooks,
): Promise<WorkEnd | undefined> {
  let prepared: Prepared | 'standing';
  try {
    hooks.enter('Preparing');
    prepared = await prepare(deps, order, from, hooks);
    if (prepared === 'standing') return { end: 'published' };
  } catch (error) {
    const failure = hooks.stop.aborted ? hooks.stop.reason : error;
    if (failure instanceof Failure && isInterruption(failure)) {
      return { end: 'interrupted' };
    }
    return failedEnd(failure, 'PreflightFailed', 'Untouched');
  }
  return dump(deps, order, from, prepared, hooks);
}

/** Everything that can fail and does not need the freeze. */
async function prepare(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  hooks: WorkHooks,
): Promise<Prepared | 'standing'> {
  const { stop } = hooks;
  refuseBlocked(deps, findUnreachable(from.pod));
  const targets = await deps.sources.resolve(from.pod, order.containers, stop);
  for (const { name, root } of targets) {
    const earlier = from.earlier.find((one) => one.container === name)?.source;
    if (earlier === undefined || sameProcess(earlier, root)) continue;
    const message = `container ${name} was restarted between two attempts (process ${earlier.pid}, now ${root.pid})`;
    throw new Failure('terminal', 'ContainerChanged', message);
  }
  const request = requestOf(deps, order, from, targets);
  const look = await lookAtSource(deps, from.pod, order.content.spec, request, stop);
  const { estimatedBytes } = look;
  refuseBlocked(deps, look.blockers);
  await reserveRoom(deps, order.content.metadata.uid, estimatedBytes, hooks);
  const adopted = await withStoreRetries(deps, stop, () => prepareStore(deps, order, from, stop));
  if (!order.lease.current()) await confirmLease(deps, order.lease, stop);
  stop.throwIfAborted();
  return adopted ? 'standing' : { targets, estimatedBytes };
}

function refuseBlocked(deps: Pick<OrderDeps, 'metrics'>, blockers: readonly Blocker[]): void {
  if (blockers.length === 0) return;
  for (const blocker of blockers) deps.metrics.blocked(blocker.check);
  const message = blockers.map((blocker) => `${blocker.check}: ${blocker.message}`).join('; ');
  throw new Failure('terminal', 'PreflightFailed', message);
}

/** The store takes writes, and nothing stands in the way. An artifact that an earlier holder published for this very order is taken as its end. */
async function prepareStore(
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  stop: AbortSignal,
): Promise<boolean> {
  const key = referenceKeyOf(order.content);
  const standing = await deps.artifacts.find(key, stop);
  // Published to end the source, and the source runs: it has gone on from what that artifact holds.
  const isVoid = order.content.spec.afterCapture === 'Terminate' && standing !== undefined;
  if (isVoid || standing === 'damaged') await deps.artifacts.discard(key, undefined, stop);
  if (isVoid || standing === undefined || standing === 'damaged') {
    await deps.artifacts.checkWritable(stop);
    return false;
  }
  const facts: CaptureFacts = { ...factsAtStart(deps, order, from), ...standing };
  deps.journal.begin(intentOf(order, from, [], '', 'published', facts));
  return true;
}
