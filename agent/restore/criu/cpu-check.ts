import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { decisiveLines } from '../../capture/criu/log.ts';
import { run } from '../../proc/run.ts';

/** Exit code of `criu cpuinfo check` for a CPU that does not do. */
const mismatch = 1;

/** What the CPU of this node lacks for these images, in CRIU's words; undefined where nothing, and for images that do not say of which CPU they are. */
export async function findCpuProblem(
  criuPath: string,
  imagesDirectory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const recorded = await access(join(imagesDirectory, 'cpuinfo.img')).then(
    () => true,
    () => false,
  );
  if (!recorded) return undefined;
  const argv = [criuPath, 'cpuinfo', 'check', '--no-default-config'];
  const { exitCode, stderr } = await run([...argv, '--images-dir', imagesDirectory], { signal });
  return exitCode === mismatch ? decisiveLines(stderr).join('; ') : undefined;
}
