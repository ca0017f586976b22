import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decisiveLines } from '../../capture/criu/log.ts';
import { run } from '../../proc/run.ts';

/** Exit codes of `criu cpuinfo check`. */
const fits = 0;
const mismatch = 1;

/** Sorts of CPU whose answer is kept; a cluster has a few. */
const mostKept = 64;

/** What the CPU of this node lacks for the images of a directory, in CRIU's words; undefined where nothing, and for images that do not say. */
export type CpuCheck = (
  imagesDirectory: string,
  signal: AbortSignal,
) => Promise<string | undefined>;

/** Asks CRIU once for each sort of CPU: the answer is the same for as long as this machine runs, and the workload waits for it. */
export function cpuCheck(criuPath: string): CpuCheck {
  const known = new Map<string, string | undefined>();
  return async (imagesDirectory, signal) => {
    const recorded = await readFile(join(imagesDirectory, 'cpuinfo.img'), 'base64').catch(
      () => undefined,
    );
    if (recorded === undefined) return undefined;
    if (known.has(recorded)) return known.get(recorded);
    const argv = [criuPath, 'cpuinfo', 'check', '--no-default-config'];
    const { exitCode, stderr } = await run([...argv, '--images-dir', imagesDirectory], { signal });
    if (exitCode !== fits && exitCode !== mismatch) return undefined;
    const problem = exitCode === mismatch ? decisiveLines(stderr).join('; ') : undefined;
    if (known.size < mostKept) known.set(recorded, problem);
    return problem;
  };
}
