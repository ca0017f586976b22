import { Failure } from '../../core/failure.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts, type Published, parseFacts } from './facts.ts';
import { markSettled } from './settle.ts';
import { hasFiles } from './staging.ts';
import { confirmLease, withStoreRetries } from './store-retry.ts';
import {
  failedEnd,
  isInterruption,
  referenceKeyOf,
  type WorkEnd,
  type WorkHooks,
  type WorkOrder,
} from './work.ts';

/**
 * Publishes what lies in staging: dump facts from the journal, or fresh from the capture. Ends `published` with the artifact noted in the
 * journal. Resumable at every point; never rejects.
 */
export async function publish(
  deps: OrderDeps,
  order: WorkOrder,
  hooks: WorkHooks,
): Promise<WorkEnd> {
  const { uid } = order.content.metadata;
  hooks.enter('Publishing');
  try {
    const intent = deps.journal.find(uid);
    const facts = intent === undefined ? undefined : parseFacts(intent.facts);
    if (intent === undefined || facts === undefined) {
      const failure = lostStaging('the journal does not know the dump');
      return failedEnd(failure, 'CheckpointFailed', 'Running');
    }
    await hooks.publishTurn();
    const startedAt = deps.clock.monotonicMilliseconds();
    deps.journal.update(uid, { step: 'publishing', fence: order.lease.fence });
    const published = await storeDump(deps, order, facts, intent.stagingDirectory, hooks);
    if (published === undefined) {
      // The machine was restarted, or somebody cleaned up: capture again, under a new attempt.
      deps.log.warn({ contentUID: uid }, 'the dump in staging is not whole any more');
      await markSettled(deps, intent, 'count');
      return { end: 'interrupted' };
    }
    const lasted = deps.clock.monotonicMilliseconds() - startedAt;
    deps.metrics.published(lasted);
    deps.freezeOutlook.published(published.sizeBytes, lasted);
    deps.journal.update(uid, {
      step: 'published',
      facts: formatFacts({ ...facts, published, stageMilliseconds: hooks.spent() }),
    });
    return { end: 'published' };
  } catch (error) {
    const failure = hooks.stop.aborted ? hooks.stop.reason : error;
    if (failure instanceof Failure && isInterruption(failure)) return { end: 'interrupted' };
    return failedEnd(failure, 'StorageError', 'Running');
  }
}

/** The dump as an artifact with its reference; undefined when what lies in staging is not whole any more. */
export async function storeDump(
  deps: OrderDeps,
  order: WorkOrder,
  facts: CaptureFacts,
  stagingDirectory: string,
  hooks: Pick<WorkHooks, 'stop' | 'progressed'>,
): Promise<Published | undefined> {
  const resumed = order.from.start === 'staging';
  const key = referenceKeyOf(order.content);
  return withStoreRetries(deps, hooks.stop, async (tries) => {
    // A predecessor may have got as far as the reference: its artifact is the order's, a second one must not be made.
    const standing = resumed || tries > 0 ? await deps.artifacts.find(key, hooks.stop) : undefined;
    if (standing !== undefined && standing !== 'damaged') return standing.published;
    if (!resumed || (await isWhole(deps, facts, stagingDirectory))) {
      return publishOnce(deps, order, facts, stagingDirectory, hooks);
    }
    if (standing === 'damaged') await deps.artifacts.discard(key, undefined, hooks.stop);
    return undefined;
  });
}

const lostStaging = (message: string): Failure =>
  new Failure('terminal', 'CheckpointFailed', message);

async function isWhole(
  deps: OrderDeps,
  facts: CaptureFacts,
  stagingDirectory: string,
): Promise<boolean> {
  if (facts.dump === undefined || facts.bootID !== deps.bootID) return false;
  if (!(await deps.staging.list()).includes(stagingDirectory)) return false;
  return hasFiles(facts.files, await deps.staging.files(stagingDirectory));
}

async function publishOnce(
  deps: OrderDeps,
  order: WorkOrder,
  facts: CaptureFacts,
  stagingDirectory: string,
  hooks: Pick<WorkHooks, 'stop' | 'progressed'>,
): Promise<Published> {
  const { dump } = facts;
  if (dump === undefined) throw lostStaging('the journal does not know the dump');
  return deps.artifacts.publish(
    {
      content: order.content,
      facts,
      dump,
      stagingDirectory,
      key: referenceKeyOf(order.content),
      fence: order.lease.fence,
      beforeReference: () => confirmLease(deps, order.lease, hooks.stop),
      onProgress: hooks.progressed,
    },
    hooks.stop,
  );
}
