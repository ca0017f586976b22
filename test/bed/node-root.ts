import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { goArchitecture } from './cascade.ts';
import { attempt, run } from './command.ts';
import { withLock } from './lock.ts';
import { cacheDirectory, contentName } from './paths.ts';
import { elapsed, type Log } from './progress.ts';
import { nodePackages, nodeSuite } from './versions.ts';

/**
 * Folder of the read-only root that every node is an overlay of, made by mmdebstrap when the cache has
 * none for this package list.
 */
export async function nodeRoot(log: Log): Promise<string> {
  const architecture = goArchitecture(process.arch);
  const inputs = JSON.stringify([nodeSuite, architecture, [...nodePackages].sort()]);
  const folder = join(cacheDirectory(), 'node-root', contentName(inputs, 16));
  if (await exists(folder)) return folder;
  return withLock(`${folder}.lock`, 15 * 60_000, log, async () => {
    if (!(await exists(folder))) await make(folder, architecture, log);
    return folder;
  });
}

async function exists(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).length > 0;
}

async function make(folder: string, architecture: string, log: Log): Promise<void> {
  const aside = `${folder}.making`;
  await removeRoot(aside);
  await mkdir(aside, { recursive: true });
  const time = elapsed();
  log(
    `making the node root (Debian ${nodeSuite}, ${nodePackages.length} packages): about 40 s, once`,
  );
  await run([
    'mmdebstrap',
    '--mode=root',
    '--variant=apt',
    `--architectures=${architecture}`,
    // A frozen mirror's Release file may be past its valid-until date; its signature is still checked.
    '--aptopt=Acquire::Check-Valid-Until "false"',
    `--include=${nodePackages.join(',')}`,
    nodeSuite,
    aside,
    await debianMirror(),
  ]);
  await rename(aside, folder);
  log(`made the node root in ${time()}`);
}

/** A run that was killed may have left something mounted inside; deleting through a mount would hurt. */
async function removeRoot(folder: string): Promise<void> {
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  const inside = mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of inside.reverse()) await attempt(['umount', path], {});
  await rm(folder, { recursive: true, force: true, maxRetries: 2 });
}

/**
 * CRYOPOD_DEBIAN_MIRROR, or the mirror that this machine's apt uses, so that nodes come from where its packages come from. Throws where
 * there is neither, as on Ubuntu.
 */
export async function debianMirror(): Promise<string> {
  const given = process.env.CRYOPOD_DEBIAN_MIRROR;
  if (given !== undefined && given !== '') return given;
  const folder = '/etc/apt/sources.list.d';
  const names = (await readdir(folder).catch(() => [])).filter((it) =>
    /\.(list|sources)$/.test(it),
  );
  const paths = ['/etc/apt/sources.list', ...names.map((it) => join(folder, it))];
  const texts = await Promise.all(paths.map((it) => readFile(it, 'utf8').catch(() => '')));
  const mirror = mirrorIn(texts.join('\n'));
  if (mirror !== undefined) return mirror;
  throw new Error(
    'apt knows no Debian mirror here, and nodes are made of Debian: set CRYOPOD_DEBIAN_MIRROR to the address of one, ending in /debian.',
  );
}

/** First address in apt's sources whose last part is `debian`; comments do not count. */
export function mirrorIn(sources: string): string | undefined {
  for (const line of sources.split('\n')) {
    if (line.trimStart().startsWith('#')) continue;
    const match = /\bhttps?:\/\/\S+\/debian\/?(?=\s|$)/.exec(line);
    if (match !== null) return match[0];
  }
  return undefined;
}

/** Words that start a program of the node root on this machine, whatever libc the machine has. */
export function programOfRoot(root: string, program: string): readonly string[] {
  const [loader, library] =
    process.arch === 'arm64'
      ? ['usr/lib/ld-linux-aarch64.so.1', 'aarch64-linux-gnu']
      : ['usr/lib64/ld-linux-x86-64.so.2', 'x86_64-linux-gnu'];
  return [
    join(root, loader),
    '--library-path',
    join(root, 'usr/lib', library),
    join(root, 'usr/bin', program),
  ];
}
