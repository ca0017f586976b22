import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';

/** Setting a limit takes no time; it must not be given up half-way. */
const never = new AbortController().signal;

/**
 * Makes every further write of CRIU's to a file fail, by a limit on the size of its files (its launcher made it ignore the signal that goes
 * with it). CRIU takes that for a full disk: it undoes what it did and sets the tree running, within milliseconds of its next write. At the hold,
 * where it writes nothing, it has no effect. One that has ended meanwhile is fine. False when the limit could not be set.
 */
export async function cutWrites(procRoot: string, criu: ProcessIdentity): Promise<boolean> {
  if (!(await isAlive(procRoot, criu))) return true;
  // The hard limit is left as it is: raising one takes a capability that a node may not grant.
  const result = await run(['prlimit', `--pid=${criu.pid}`, '--fsize=0:'], { signal: never });
  return result.ok || !(await isAlive(procRoot, criu));
}
