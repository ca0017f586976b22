import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** buildah with a store of its own, so that nothing of the machine's containers is read or touched. */
export type Buildah = {
  /** Runs one command and returns its standard output; all output is appended to `logPath`. Throws with the end of it. */
  run(args: readonly string[], logPath: string): Promise<string>;
  /** Arguments that every build, pull and commit needs. */
  readonly policyArgs: readonly string[];
};

/** Opens the store below `directory`. Throws a sentence with the remedy when buildah is not installed. */
export async function openBuildah(directory: string): Promise<Buildah> {
  const policyPath = join(directory, 'policy.json');
  const registriesPath = join(directory, 'registries.conf');
  await mkdir(directory, { recursive: true });
  await writeFile(policyPath, '{"default":[{"type":"insecureAcceptAnything"}]}\n');
  await writeFile(registriesPath, '');
  // Counts of mounts live in the run root; after a reboot those of the last boot are wrong.
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const command = async (driver: string, args: readonly string[], logPath: string) => {
    const roots = ['--root', join(directory, `store-${driver}`)];
    const log = { file: logPath, append: true } as const;
    // In a mount namespace of its own: what a killed build had mounted goes with it.
    const result = await execa(
      'unshare',
      [
        '--mount',
        '--propagation=private',
        'buildah',
        ...roots,
        '--runroot',
        join(directory, 'run', boot),
        ...args,
      ],
      {
        env: { STORAGE_DRIVER: driver, CONTAINERS_REGISTRIES_CONF: registriesPath },
        all: true,
        reject: false,
        stdin: 'ignore',
        stdout: ['pipe', log],
        stderr: ['pipe', log],
      },
    );
    if (result.exitCode === commandNotFound) throw new Error(missingBuildah);
    return { ok: result.exitCode === 0, stdout: result.stdout, all: result.all };
  };
  const probeLog = join(directory, 'buildah.log');
  // overlay shares layers, but not where the cache itself lies on an overlay, as in some containers.
  const driver = (await command('overlay', ['info'], probeLog)).ok ? 'overlay' : 'vfs';
  return {
    policyArgs: ['--signature-policy', policyPath],
    run: async (args, logPath) => {
      const result = await command(driver, args, logPath);
      if (result.ok) return result.stdout;
      const tail = result.all.split('\n').slice(-15).join('\n');
      throw new Error(`buildah ${args[0]} failed, all of its output is in ${logPath}:\n${tail}`);
    },
  };
}

/** What unshare, like a shell, exits with when it does not find the program. */
const commandNotFound = 127;

const missingBuildah =
  'buildah is missing, which makes the images: apt-get install --no-install-recommends buildah';
