import { chmod, copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { cacheDirectory, contentName } from '../paths.ts';

/** Folder on every node that holds the shim; the agent mounts it at the same path. */
export const shimDirectory = '/opt/cryopod-bed';

/** The program that stands in for criu: criu itself, with the shim preloaded. */
export const shimCriuPath = `${shimDirectory}/criu`;

const capSysResource = 24n;

/** Whether /proc/self/status names CAP_SYS_RESOURCE among the capabilities in effect. */
export function hasSysResource(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (effective === undefined) throw new Error('/proc/self/status has no line CapEff');
  return (BigInt(`0x${effective}`) & (1n << capSysResource)) !== 0n;
}

/** Whether this machine's root, and with it the agent in a bed, lacks what CRIU needs for processes of other users. */
export async function shimNeeded(): Promise<boolean> {
  return !hasSysResource(await readFile('/proc/self/status', 'utf8'));
}

/** Compiles the shim into the cache, unless it is there, and returns its path. */
export async function buildShim(): Promise<string> {
  const source = fileURLToPath(new URL('prlimit.c', import.meta.url));
  const directory = join(cacheDirectory(), 'shim');
  const digest = contentName(await readFile(source, 'utf8'), 16);
  const library = join(directory, `prlimit-${digest}-${process.arch}.so`);
  const found = await stat(library).catch(() => undefined);
  if (found !== undefined) return library;
  await mkdir(directory, { recursive: true });
  const partial = `${library}.${process.pid}`;
  const args = ['-O2', '-Wall', '-shared', '-fPIC', '-o', partial, source, '-ldl'];
  const built = await execa('gcc', args, { reject: false });
  if (built.code === 'ENOENT') {
    throw new Error(
      'gcc is missing, which compiles the prlimit shim: apt-get install gcc libc6-dev',
    );
  }
  if (built.exitCode !== 0) throw new Error(`gcc ${args.join(' ')}:\n${built.stderr}`);
  await rename(partial, library);
  return library;
}

/** What runs in place of criu. `exec`, so that the process which the agent started and watches is criu itself. */
const wrapper = `#!/bin/sh
exec env LD_PRELOAD=${shimDirectory}/prlimit.so /usr/sbin/criu "$@"
`;

/** Puts the shim into a node, given its root as this machine sees it. */
export async function placeShim(library: string, nodeRoot: string): Promise<void> {
  const directory = join(nodeRoot, shimDirectory);
  await mkdir(directory, { recursive: true });
  // Renamed into place: a criu that runs may have the old file mapped.
  await copyFile(library, join(directory, '.prlimit.so'));
  await rename(join(directory, '.prlimit.so'), join(directory, 'prlimit.so'));
  await writeFile(join(directory, '.criu'), wrapper);
  await chmod(join(directory, '.criu'), 0o755);
  await rename(join(directory, '.criu'), join(directory, 'criu'));
}
