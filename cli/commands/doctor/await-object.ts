import type { Parsed } from '../../../core/api/metadata.ts';
import { type Clock, sleep } from '../../../core/clock.ts';
import { Failure, isFailure } from '../../../core/failure.ts';
import type { Kube, ObjectKey } from '../../../runtime/kube-port.ts';
import { describeKey } from '../../../runtime/raw-object.ts';

const lookEveryMilliseconds = 500;

/** What an object is like: as it should be, never going to be, or not yet, each with what to tell. */
export type Standing =
  | { readonly state: 'reached' }
  | { readonly state: 'hopeless' | 'waiting'; readonly why: string };

/** Looks at an object until it is as it should be. Throws a Failure that says why it is not, or what was waited for. */
export async function awaitObject<T>(
  { kube, clock }: { readonly kube: Kube; readonly clock: Clock },
  key: ObjectKey,
  parse: (raw: unknown) => Parsed<T>,
  standingOf: (object: T) => Standing,
  withinMilliseconds: number,
  signal: AbortSignal,
): Promise<T> {
  const giveUpAt = clock.monotonicMilliseconds() + withinMilliseconds;
  for (;;) {
    const parsed = parse(await read(kube, key, signal));
    if (!parsed.ok) {
      throw new Failure('terminal', 'Unreadable', `${describeKey(key)}: ${parsed.message}`);
    }
    const standing = standingOf(parsed.value);
    if (standing.state === 'reached') return parsed.value;
    if (standing.state === 'hopeless') throw new Failure('terminal', 'Canary', standing.why);
    if (clock.monotonicMilliseconds() >= giveUpAt) {
      const seconds = Math.round(withinMilliseconds / 1000);
      throw new Failure('terminal', 'Canary', `not within ${seconds} s: ${standing.why}`);
    }
    await sleep(clock, lookEveryMilliseconds, signal);
  }
}

async function read(kube: Kube, key: ObjectKey, signal: AbortSignal) {
  try {
    return await kube.get(key, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
    throw new Failure('terminal', 'Canary', `somebody deleted ${describeKey(key)}`, {
      cause: error,
    });
  }
}
