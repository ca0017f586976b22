import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { debianSuite } from './versions.ts';

/** What a build is told about this machine without any of it entering a layer: the build secrets of the Dockerfiles. */
export type MachineSettings = {
  /** Path of a bundle of trusted certificates, '' for the usual ones. */
  readonly certificates: string;
  /** Lines of an npmrc. */
  readonly npm: string;
  /** Lines of a sources.list, '' for the image's own. */
  readonly apt: string;
};

const kept = /^(registry|proxy|https-proxy|noproxy|strict-ssl|@[^=]+:registry|\/\/[^=]+)\s*=/;

/** The lines of an npmrc that say where packages come from; paths of this machine mean nothing in a container. */
export function npmSettings(npmrc: string): string {
  return npmrc
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => kept.test(line))
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * The Debian mirror of a machine as sources of the images' suite; '' where it has none (an Ubuntu, say), and the default of the image serves.
 * `sources` are the texts of its sources.list and *.sources files.
 */
export function aptSources(sources: readonly string[]): string {
  const uris = sources
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^(URIs:|deb )/.test(line))
    .flatMap((line) => line.match(/https?:\/\/[^\s]+/g) ?? [])
    .map((uri) => uri.replace(/\/$/, ''));
  const main = uris.find((uri) => uri.endsWith('/debian'));
  if (main === undefined) return '';
  const security = uris.find((uri) => uri.endsWith('/debian-security'));
  const lines = [`deb ${main} ${debianSuite} main`, `deb ${main} ${debianSuite}-updates main`];
  if (security !== undefined) lines.push(`deb ${security} ${debianSuite}-security main`);
  return `${lines.join('\n')}\n`;
}

/** Reads the settings of this machine. */
export async function machineSettings(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MachineSettings> {
  const npmrcPath = environment.NPM_CONFIG_USERCONFIG ?? join(homedir(), '.npmrc');
  const registry = environment.NPM_CONFIG_REGISTRY ?? environment.npm_config_registry;
  const npmrc = npmSettings(await textOf(npmrcPath));
  const parts = '/etc/apt/sources.list.d';
  const names = await readdir(parts).catch(() => []);
  const files = names
    .filter((name) => /\.(list|sources)$/.test(name))
    .map((name) => join(parts, name));
  return {
    certificates: environment.NODE_EXTRA_CA_CERTS ?? environment.SSL_CERT_FILE ?? '',
    npm: registry === undefined ? npmrc : `${npmrc}registry=${registry}\n`,
    apt: aptSources(await Promise.all(['/etc/apt/sources.list', ...files].map(textOf))),
  };
}

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** Runs `work` with the --secret arguments of a build; the files behind them are readable by root only and gone afterwards. */
export async function withSecrets<T>(
  directory: string,
  settings: MachineSettings,
  work: (args: readonly string[]) => Promise<T>,
): Promise<T> {
  const own = await mkdtemp(join(directory, '.secrets-'));
  try {
    const args: string[] = [];
    const add = async (id: string, text: string): Promise<void> => {
      if (text === '') return;
      const path = join(own, id);
      await writeFile(path, text, { mode: 0o600 });
      args.push('--secret', `id=${id},src=${path}`);
    };
    if (settings.certificates !== '') await add('ca', await textOf(settings.certificates));
    await add('npmrc', settings.npm);
    await add('apt', settings.apt);
    return await work(args);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
