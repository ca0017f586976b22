import { lookup } from 'node:dns/promises';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { contentName } from '../paths.ts';
import type { Buildah } from './buildah.ts';
import { inputDigest } from './inputs.ts';
import { unpackNpm } from './npm-package.ts';
import { repositoryRoot } from './recipes.ts';
import { type MachineSettings, withSecrets } from './secrets.ts';
import { baseRevision, debianImage, debianSuite, nodeImage, npmPackage } from './versions.ts';

/** What the making of a base image needs. `directory` is the cache of images. */
export type Workshop = {
  readonly buildah: Buildah;
  readonly directory: string;
  readonly settings: MachineSettings;
  readonly log: (line: string) => void;
};

const images = { debian: debianImage, node: nodeImage } as const;
export type Base = keyof typeof images;

/** Identity of a base image: changes when it has to be made anew. */
export async function baseDigest(base: Base): Promise<string> {
  const folder = base === 'debian' ? [] : ['images/node-base'];
  const versions = [debianSuite, String(baseRevision), base];
  return inputDigest(repositoryRoot, folder, [
    ...versions,
    ...(base === 'node' ? [npmPackage.integrity, process.version] : []),
  ]);
}

/** Makes sure that the store holds the base image under its official name: pulled where a registry answers, else made from Debian packages. */
export async function ensureBase(base: Base, workshop: Workshop): Promise<void> {
  const { buildah, directory, log } = workshop;
  const image = images[base];
  const markPath = join(directory, `base-${base}`);
  const digest = await baseDigest(base);
  const logPath = join(directory, `base-${base}.log`);
  const id = await buildah.run(['images', '--quiet', '--no-trunc', image], logPath).catch(() => '');
  const mark = contentName(`${digest} ${id.trim()}`, 32);
  if (id !== '' && (await readFile(markPath, 'utf8').catch(() => '')) === mark) return;
  await writeFile(logPath, '');
  if (!(await pulled(image, workshop, logPath))) {
    const started = performance.now();
    await (base === 'debian' ? makeDebian(workshop, logPath) : makeNode(workshop, logPath));
    log(`base image ${image} made, ${seconds(started)}`);
  }
  const made = await buildah.run(['images', '--quiet', '--no-trunc', image], logPath);
  await writeFile(markPath, contentName(`${digest} ${made.trim()}`, 32));
}

const seconds = (startedMs: number): string =>
  `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;

/** A registry that cannot even be looked up is not waited for. */
async function pulled(image: string, workshop: Workshop, logPath: string): Promise<boolean> {
  const { buildah, log } = workshop;
  const registry = image.split('/')[0] ?? '';
  try {
    await lookup(registry);
  } catch {
    log(`base image ${image}: no registry in reach, making it from packages (about 25 s, once)`);
    return false;
  }
  log(`base image ${image}: pulling`);
  try {
    const pull = ['pull', '--quiet', '--retry', '0', ...buildah.policyArgs, image];
    await buildah.run(pull, logPath);
    return true;
  } catch {
    log(`base image ${image}: the registry did not serve it, making it from packages`);
    return false;
  }
}

/** The same files that the official slim image leaves out. */
const excluded = ['doc', 'man', 'info', 'locale'].map(
  (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
);

async function makeDebian(workshop: Workshop, logPath: string): Promise<void> {
  const { buildah, directory, settings } = workshop;
  const scratch = await mkdtemp(join(directory, '.debian-'));
  try {
    const archive = join(scratch, 'root.tar');
    // The machine's mirror serves the making of the image and stays out of it.
    const ownSources = settings.apt !== '';
    const clean = 'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*';
    const forget = ownSources ? ' "$1"/etc/apt/sources.list' : '';
    await execa(
      'mmdebstrap',
      [
        '--variant=minbase',
        ...excluded,
        `--customize-hook=${clean}${forget}`,
        debianSuite,
        archive,
        ...(ownSources ? ['-'] : []),
      ],
      {
        ...(ownSources ? { input: settings.apt } : { stdin: 'ignore' }),
        stdout: { file: logPath, append: true },
        stderr: ['pipe', { file: logPath, append: true }],
      },
    );
    const container = (
      await buildah.run(['from', ...buildah.policyArgs, 'scratch'], logPath)
    ).trim();
    await buildah.run(['add', '--quiet', container, archive, '/'], logPath);
    await buildah.run(['config', '--cmd', 'bash', container], logPath);
    await buildah.run(
      ['commit', '--quiet', '--rm', ...buildah.policyArgs, container, debianImage],
      logPath,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function makeNode(workshop: Workshop, logPath: string): Promise<void> {
  await ensureBase('debian', workshop);
  const { directory, settings, buildah } = workshop;
  const scratch = await mkdtemp(join(directory, '.node-'));
  try {
    // This very Node: its package was verified against the lockfile when it was installed.
    await copyFile(process.execPath, join(scratch, 'node'));
    await unpackNpm(scratch);
    await withSecrets(directory, settings, async (secrets) => {
      const file = `${repositoryRoot}/images/node-base/Dockerfile`;
      await buildah.run(
        [...buildArgs(buildah), ...secrets, '--tag', nodeImage, '--file', file, scratch],
        logPath,
      );
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A build without Docker, without user namespaces and without a registry. */
export const buildArgs = (buildah: Buildah): readonly string[] => [
  'bud',
  ...buildah.policyArgs,
  '--isolation=chroot',
  '--network=host',
  '--pull-never',
  '--layers',
  '--force-rm',
];
