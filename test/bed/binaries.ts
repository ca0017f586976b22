import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  chooseSource,
  downloadAddress,
  environmentPlaces,
  goArchitecture,
  type KubernetesProgram,
  kubernetesPrograms,
  type Place,
} from './cascade.ts';
import { attempt } from './command.ts';
import { downloadProgram, publishedSum } from './download.ts';
import { buildPrograms } from './go-build.ts';
import { withLock } from './lock.ts';
import { cacheDirectory } from './paths.ts';
import { elapsed, type Log } from './progress.ts';
import { kubernetesVersion } from './versions.ts';

/** Time for which another run may be building what this one waits for. */
const buildMs = 30 * 60_000;

/** Path of each program of Kubernetes. */
export type KubernetesPrograms = Readonly<Record<KubernetesProgram, string>>;

/**
 * Finds or makes the programs of Kubernetes: the environment's folders, the cache, the official
 * downloads, a build from the pinned Go module; the first that works. Says which step it took.
 */
export async function kubernetesBinaries(log: Log): Promise<KubernetesPrograms> {
  const architecture = goArchitecture(process.arch);
  const cache: Place = {
    label: 'the cache',
    folder: join(cacheDirectory(), 'bin', `kubernetes-${kubernetesVersion}-${architecture}`),
  };
  const places = [...environmentPlaces(process.env), cache];
  const first = await locate(places, log);
  if (first.missing.length === 0) return first.programs;
  return withLock(`${cache.folder}.lock`, buildMs, log, async () => {
    const again = await locate(places, log); // someone may have made them while this run waited
    if (again.missing.length > 0) await make(again.missing, cache.folder, architecture, log);
    const done = await locate(places, log);
    const [lost] = done.missing;
    if (lost !== undefined) throw new Error(`${lost} was made but is not in ${cache.folder}`);
    return done.programs;
  });
}

type Located = {
  readonly programs: KubernetesPrograms;
  readonly missing: readonly KubernetesProgram[];
};

async function locate(places: readonly Place[], log: Log): Promise<Located> {
  const programs: Record<KubernetesProgram, string> = {
    'kube-apiserver': '',
    'kube-controller-manager': '',
    'kube-scheduler': '',
    kubelet: '',
  };
  const missing: KubernetesProgram[] = [];
  for (const program of kubernetesPrograms) {
    const found = await Promise.all(
      places.map(async (place) => ({ place, version: await versionOf(place, program) })),
    );
    const choice = chooseSource({ found }, kubernetesVersion);
    if (choice.from === 'place') programs[program] = join(choice.place.folder, program);
    else {
      missing.push(program);
      for (const why of choice.passedOver) log(`${program}: ${why}, not ${kubernetesVersion}`);
    }
  }
  return { programs, missing };
}

async function versionOf(place: Place, program: string): Promise<string | undefined> {
  const entries: readonly string[] = await readdir(place.folder).catch(() => []);
  if (!entries.includes(program)) return undefined;
  if (place.label === 'the cache') return kubernetesVersion; // put there whole, under its version
  const { exitCode, stdout } = await attempt([join(place.folder, program), '--version'], {
    timeoutMs: 10_000,
  });
  return exitCode === 0 ? stdout.trim() : undefined;
}

async function make(
  programs: readonly KubernetesProgram[],
  folder: string,
  architecture: 'amd64' | 'arm64',
  log: Log,
): Promise<void> {
  const aside = `${folder}.making`; // the lock is held: whatever is there is of a run that died
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  try {
    const why = await tryDownload(programs, architecture, aside, log);
    if (why !== undefined) {
      log(`no official download (${why})`);
      const time = elapsed();
      log(
        `building ${programs.join(', ')} ${kubernetesVersion} with Go: about 6 minutes on 2 cores, once`,
      );
      const still = setInterval(() => log(`still building, ${time()}`), 60_000);
      await buildPrograms(programs, architecture, aside).finally(() => clearInterval(still));
      log(`built Kubernetes ${kubernetesVersion} in ${time()}`);
    }
    await mkdir(folder, { recursive: true });
    for (const program of programs) await rename(join(aside, program), join(folder, program));
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Downloads all programs; returns the reason when that was not possible. */
async function tryDownload(
  programs: readonly KubernetesProgram[],
  architecture: string,
  folder: string,
  log: Log,
): Promise<string | undefined> {
  try {
    for (const program of programs) {
      const address = downloadAddress(program, kubernetesVersion, architecture);
      const sum = await publishedSum(address);
      const time = elapsed();
      log(`downloading ${address}`);
      await downloadProgram(address, sum, join(folder, program));
      log(`downloaded ${program} in ${time()}, its checksum is the published one`);
    }
    return undefined;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return cause instanceof Error ? cause.message : String(cause);
  }
}
