import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { corruptArtifact } from './config.ts';
import { endOfArchive } from './tar-header.ts';
import { readTar } from './tar-reader.ts';
import { plainFile } from './tar-writer.ts';

/** CRIU's image files and nothing else: no logs, no work files, no links. Also the only names that are ever created from an artifact. */
const imageFile = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}\.img$/;
const pagesFile = /^pages-[A-Za-z0-9-]{1,64}\.img$/;

export type ImageFile = { readonly name: string; readonly sizeBytes: number };

/** CRIU's images in a directory, sorted by name: those with memory, and the small ones. */
export async function listImages(
  directory: string,
): Promise<{ readonly memory: readonly ImageFile[]; readonly small: readonly ImageFile[] }> {
  const names = (await readdir(directory)).filter((name) => imageFile.test(name)).sort();
  const found = await Promise.all(
    names.map(async (name) => ({ name, stat: await lstat(join(directory, name)) })),
  );
  const files = found
    .filter(({ stat }) => stat.isFile())
    .map(({ name, stat }) => ({ name, sizeBytes: stat.size }));
  return {
    memory: files.filter(({ name }) => pagesFile.test(name)),
    small: files.filter(({ name }) => !pagesFile.test(name)),
  };
}

/** One tar of the small images: hundreds of blobs would cost more than their bytes. */
export async function* criuTar(
  directory: string,
  files: readonly ImageFile[],
): AsyncGenerator<Buffer> {
  for (const { name, sizeBytes } of files) {
    const file = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      yield* plainFile(name, 0o600, sizeBytes, file.createReadStream({ autoClose: false }));
    } finally {
      await file.close();
    }
  }
  yield endOfArchive;
}

/** Unpacks the tar of small images; refuses everything that is not a regular file with the name of an image. */
export async function unpackCriuTar(
  tar: AsyncIterable<Uint8Array>,
  create: (name: string) => Promise<FileHandle>,
): Promise<void> {
  const damaged = (why: string) => corruptArtifact(`its criu layer: ${why}`);
  for await (const { header, path, body } of readTar(tar, damaged)) {
    if (header.type !== '0' || !imageFile.test(path) || pagesFile.test(path)) {
      throw damaged(`${JSON.stringify(path.slice(0, 300))} is no CRIU image`);
    }
    const file = await create(path);
    try {
      for await (const piece of body) await file.writeFile(piece);
    } finally {
      await file.close();
    }
  }
}
