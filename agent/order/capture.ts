import { Failure } from '../../core/failure.ts';
import type { Blocker } from '../capture/backend.ts';
import { findUnreachable } from '../capture/pod-checks.ts';
import { type FromPod, factsAtStart, intentOf, requestOf } from './begin.ts';
import type { OrderDeps } from './deps.ts';
import { dump, type Prepared } from './dump.ts';
import type { CaptureFacts } from './facts.ts';
import { lookAtSource } from './look.ts';
import { targetStatus } from './source-check.ts';
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
  const target = { name: order.container, containerID, root };
  const request = requestOf(deps, order, from, target);
  const look = await lookAtSource(deps, from.pod, order.content.spec, request, stop);
  const { estimatedBytes } = look;
  refuseBlocked(deps, look.blockers);
  const adopted = await withStoreRetries(deps, stop, () => prepareStore(deps, order, from, stop));
  if (!order.lease.current()) await confirmLease(deps, order.lease, stop);
  stop.throwIfAborted();
  return adopted ? 'standing' : { target, estimatedBytes };
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
  if (standing === 'damaged') await deps.artifacts.discard(key, undefined, stop);
  if (standing === undefined || standing === 'damaged') {
    await deps.artifacts.checkWritable(stop);
    return false;
  }
  const facts: CaptureFacts = { ...factsAtStart(deps, order, from), ...standing };
  deps.journal.begin(intentOf(order, from, undefined, '', 'published', facts));
  return true;
}
