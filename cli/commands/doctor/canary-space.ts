import { type Clock, sleep } from '../../../core/clock.ts';
import { isFailure } from '../../../core/failure.ts';
import type { Kube, ObjectKey } from '../../../runtime/kube-port.ts';
import { identityOf, recordAt } from '../../../runtime/raw-object.ts';
import { canaryNamespace, runLabel } from './canary-objects.ts';
import { clusterKinds } from './cluster-kinds.ts';

const removeWithinMilliseconds = 10_000;
const goneWithinMilliseconds = 60_000;
const lookEveryMilliseconds = 500;

/** A namespace for one run, and nothing else in it. */
export type CanarySpace = { readonly name: string; readonly run: string };

const keyOf = ({ name }: CanarySpace): ObjectKey => ({
  kind: clusterKinds.namespace,
  namespace: '',
  name,
});

/**
 * Makes the namespace, works in it, and removes it whatever happens, after Ctrl-C as well. `onLeft` hears its name where it is not gone by the end:
 * the API server goes on with what was begun.
 */
export async function withCanarySpace<T>(
  { kube, clock }: { readonly kube: Kube; readonly clock: Clock },
  space: CanarySpace,
  onLeft: (name: string) => void,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const object = canaryNamespace(space.name, space.run);
    await kube.create(clusterKinds.namespace, object, { dryRun: false }, signal);
    return await work();
  } finally {
    if (!(await remove(kube, clock, space, signal))) onLeft(space.name);
  }
}

/** True where it is gone, or never was. The outcome of a create that failed is unknown, so this looks; and takes nothing that is not of this run. */
async function remove(
  kube: Kube,
  clock: Clock,
  space: CanarySpace,
  signal: AbortSignal,
): Promise<boolean> {
  const own = AbortSignal.timeout(removeWithinMilliseconds + goneWithinMilliseconds);
  const key = keyOf(space);
  try {
    const found = await kube.get(key, own);
    if (recordAt(recordAt(found, 'metadata'), 'labels')[runLabel] !== space.run) return true;
    await kube.delete(key, { uid: identityOf(found).uid }, own);
    const giveUpAt = clock.monotonicMilliseconds() + goneWithinMilliseconds;
    // Who pressed Ctrl-C does not wait.
    while (!signal.aborted && clock.monotonicMilliseconds() < giveUpAt) {
      await kube.get(key, own);
      await sleep(clock, lookEveryMilliseconds, own);
    }
    return false;
  } catch (error) {
    if (own.aborted) return false;
    if (!isFailure(error)) throw error;
    return error.kind === 'gone';
  }
}
