import { findCondition, isTrue } from '../../../core/api/conditions.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { restoredCondition } from '../../../core/api/restore.ts';
import { type Pod, parsePod } from '../../../core/api/workload.ts';
import type { Clock } from '../../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../../core/failure.ts';
import type { Kube, RawObject } from '../../../runtime/kube-port.ts';
import type { AgentOfNode } from './agents.ts';
import { awaitObject, type Standing } from './await-object.ts';
import { type Canary, canaryPlaceholder, canaryPod, canarySnapshot } from './canary-objects.ts';
import { type NodeReport, type Step, skipped } from './report.ts';

/** What a canary needs to fly. */
export type Flight = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly canary: Canary;
  /** Of each step. */
  readonly withinMilliseconds: number;
  /** Hears what is done on which node. */
  readonly onProgress: (node: string, what: string) => void;
  readonly signal: AbortSignal;
};

/** The node that restores what another has captured. `sharesStore`: as the agents say; one that does not say so may all the same. */
export type Neighbour = { readonly node: string; readonly sharesStore: boolean };

/** Captures a canary on a node, restores it there and, where there is one, on another. Never throws but for an abort. */
export async function flyCanary(
  flight: Flight,
  { node, state }: AgentOfNode,
  neighbour: Neighbour | undefined,
  number: number,
): Promise<NodeReport> {
  const { clock, onProgress } = flight;
  const startedAt = clock.monotonicMilliseconds();
  const name = `canary-${number}`;
  onProgress(node, 'starting a canary and capturing it');
  const { step: capture, result } = await timed(flight, () => captureCanary(flight, name, node));
  const restore = async (suffix: string, target: string): Promise<Step> => {
    onProgress(target, `restoring the canary of ${node}`);
    const restored = `${name}-${suffix}`;
    return (await timed(flight, () => restoreCanary(flight, restored, name, target))).step;
  };
  const captured = capture.outcome === 'ok';
  const restoreHere = captured ? await restore('here', node) : skipped('nothing was captured');
  const restoreElsewhere =
    captured && neighbour !== undefined
      ? excused(await restore('elsewhere', neighbour.node), neighbour)
      : skipped(captured ? 'there is no other node' : 'nothing was captured');
  const steps = [capture, restoreHere, restoreElsewhere];
  const wrong =
    steps.find(({ outcome }) => outcome === 'failed') ??
    steps.find(({ outcome }) => outcome === 'skipped');
  const freeze = result?.status.freezeMilliseconds;
  return {
    ...{ node, agent: state, capture, restoreHere, restoreElsewhere },
    ...(freeze === undefined ? {} : { freezeMilliseconds: freeze }),
    tookMilliseconds: Math.round(clock.monotonicMilliseconds() - startedAt),
    reason: wrong?.why ?? '',
  };
}

/** Where nobody says that the stores are one, a restore on another node need not succeed. */
function excused(step: Step, { node, sharesStore }: Neighbour): Step {
  if (step.outcome !== 'failed' || sharesStore) return { ...step, node };
  return skipped(`not on ${node}, whose store is its own (CRYOPOD_STORE_SHARED): ${step.why}`);
}

/** What a step came to, and how long it took. */
async function timed<T>(
  { clock, signal }: Flight,
  work: () => Promise<T>,
): Promise<{ readonly step: Step; readonly result?: T }> {
  const startedAt = clock.monotonicMilliseconds();
  const took = () => ({ milliseconds: Math.round(clock.monotonicMilliseconds() - startedAt) });
  try {
    const result = await work();
    return { step: { outcome: 'ok', ...took() }, result };
  } catch (error) {
    signal.throwIfAborted();
    if (!isFailure(error)) throw error;
    return { step: { outcome: 'failed', ...took(), why: errorText(error) } };
  }
}

async function captureCanary(flight: Flight, name: string, node: string): Promise<PodSnapshot> {
  const { kube, canary, withinMilliseconds, signal } = flight;
  const { namespace } = canary;
  await create(flight, kinds.pod, canaryPod(canary, name, node));
  const pod = { kind: kinds.pod, namespace, name };
  await awaitObject(flight, pod, parsePod, runs, withinMilliseconds, signal);
  const deadline = Math.ceil(withinMilliseconds / 1000);
  await kube.create(
    kinds.podSnapshot,
    canarySnapshot(canary, name, name, deadline),
    { dryRun: false },
    signal,
  );
  const snapshot = { kind: kinds.podSnapshot, namespace, name };
  return await awaitObject(
    ...([flight, snapshot, parsePodSnapshot, isCaptured] as const),
    withinMilliseconds,
    signal,
  );
}

async function restoreCanary(
  flight: Flight,
  name: string,
  snapshot: string,
  node: string,
): Promise<Pod> {
  const { canary, withinMilliseconds, signal } = flight;
  const shaped = canaryPlaceholder(canary, name, snapshot, node);
  if (shaped.pod === undefined) {
    throw new Failure('terminal', 'Canary', shaped.problems.join('; '));
  }
  await create(flight, kinds.pod, shaped.pod);
  const pod = { kind: kinds.pod, namespace: canary.namespace, name };
  return await awaitObject(flight, pod, parsePod, isRestored, withinMilliseconds, signal);
}

const create = (
  { kube, signal }: Flight,
  kind: typeof kinds.pod,
  object: RawObject,
): Promise<RawObject> => kube.create(kind, object, { dryRun: false }, signal);

function runs(pod: Pod): Standing {
  const { phase, containerStatuses } = pod.status;
  if (phase === 'Running') return { state: 'reached' };
  const why = `the canary is ${phase}${waitingFor(containerStatuses)}`;
  return { state: phase === 'Failed' || phase === 'Succeeded' ? 'hopeless' : 'waiting', why };
}

const waitingFor = (statuses: Pod['status']['containerStatuses']): string => {
  const reason = statuses.flatMap(({ state }) => state.waiting?.reason ?? [])[0];
  return reason === undefined ? '' : `, its container ${reason}`;
};

function isCaptured({ status }: PodSnapshot): Standing {
  if (isTrue(status.conditions, 'Ready')) return { state: 'reached' };
  const failed = findCondition(status.conditions, 'Failed');
  if (failed?.status === 'True') {
    return { state: 'hopeless', why: `${failed.reason}: ${failed.message}` };
  }
  const progress = findCondition(status.conditions, 'Progressing');
  return {
    state: 'waiting',
    why: `the snapshot is in stage ${status.stage}${progress === undefined ? '' : `, ${progress.reason}: ${progress.message}`}`,
  };
}

/** Ready, too: a canary that is back is one that the kubelet would send requests to. */
function isRestored(pod: Pod): Standing {
  const { conditions, phase, containerStatuses } = pod.status;
  const restored = conditions.find(({ type }) => type === restoredCondition);
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (restored?.status === 'True' && ready) return { state: 'reached' };
  const [reason, message] = [String(restored?.reason ?? ''), String(restored?.message ?? '')];
  const told =
    reason === ''
      ? `the placeholder is ${phase}${waitingFor(containerStatuses)}`
      : `${reason}: ${message}`;
  const over = ['RestoreFailed', 'RestoreIncompatible'].includes(reason);
  return { state: over || phase === 'Failed' ? 'hopeless' : 'waiting', why: told };
}
