import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { goArchitecture } from './cascade.ts';
import { run } from './command.ts';
import { nodeRoot } from './node-root.ts';
import { ociArchive } from './oci-archive.ts';
import { cacheDirectory } from './paths.ts';
import { type TarMember, tarArchive } from './tar.ts';
import { busyboxImage, pauseImage } from './versions.ts';

/** Paths of the two archives that every node gets. */
export type BaseImages = { readonly pause: string; readonly busybox: string };

/** Path of a static busybox, the tools of last resort inside an image that has none. */
export async function busyboxBinary(): Promise<string> {
  return join(await nodeRoot(() => undefined), binaryPath);
}

const binaryPath = 'usr/bin/busybox';

/** The sandbox image and busybox, made from the static busybox of the node root, cached beside it. */
export async function baseImages(root: string): Promise<BaseImages> {
  const folder = join(cacheDirectory(), 'images', `base-${basename(root)}`);
  const images = { pause: join(folder, 'pause.tar'), busybox: join(folder, 'busybox.tar') };
  if (await exists(images.busybox)) return images; // written last
  await mkdir(folder, { recursive: true });
  const binary = join(root, binaryPath);
  const layer = tarArchive(await members(binary));
  const architecture = goArchitecture(process.arch);
  const pause = { name: pauseImage, architecture, layer, command: ['/bin/sleep', 'infinity'] };
  await writeWhole(images.pause, ociArchive(pause));
  const busybox = { name: busyboxImage, architecture, layer, command: ['/bin/sh'] };
  await writeWhole(images.busybox, ociArchive(busybox));
  return images;
}

async function members(binary: string): Promise<readonly TarMember[]> {
  const applets = (await run([binary, '--list']))
    .split('\n')
    .filter((it) => it !== '' && it !== 'busybox');
  const folder = (path: string, mode: number) => ({ kind: 'folder' as const, path, mode });
  return [
    ...['bin', 'dev', 'etc', 'proc', 'run', 'sys', 'var'].map((it) => folder(it, 0o755)),
    folder('root', 0o700),
    folder('tmp', 0o1777),
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: await readFile(binary) },
    {
      kind: 'file',
      path: 'etc/passwd',
      mode: 0o644,
      data: Buffer.from('root:x:0:0:root:/root:/bin/sh\n'),
    },
    { kind: 'file', path: 'etc/group', mode: 0o644, data: Buffer.from('root:x:0:\n') },
    ...applets.map((it) => ({ kind: 'link' as const, path: `bin/${it}`, target: 'busybox' })),
  ];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Two runs may write the same bytes at once; each under a name of its own until it is complete. */
async function writeWhole(path: string, data: Buffer): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  await writeFile(aside, data);
  await rename(aside, path);
}
