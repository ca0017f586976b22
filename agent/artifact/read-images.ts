import type { ArtifactContainer } from './config.ts';
import { corruptArtifact } from './config.ts';
import type { BlobSource } from './read.ts';
import { readTarBlob } from './read-tar-blob.ts';
import { readTar } from './tar-reader.ts';

/** Of one image, and of all that are kept in memory together. */
const longestImageBytes = 64 * 2 ** 20;
const mostBytes = 512 * 2 ** 20;

/** The small images of a container whose names match, in memory; nothing is written, and what does not match is read over. */
export async function readImages(
  store: BlobSource,
  container: ArtifactContainer,
  wanted: RegExp,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  const images = new Map<string, Buffer>();
  const damaged = (why: string) => corruptArtifact(`its criu layer: ${why}`);
  let left = mostBytes;
  await readTarBlob(store, container.criu, signal, async (tar) => {
    for await (const { header, path, storedBytes, body } of readTar(tar, damaged)) {
      if (header.type !== '0' || !wanted.test(path)) continue;
      left -= storedBytes;
      if (storedBytes > longestImageBytes || left < 0) throw damaged(`${path} is too long`);
      if (images.has(path)) throw damaged(`${path} stands in it twice`);
      const pieces: Buffer[] = [];
      for await (const piece of body) pieces.push(piece);
      images.set(path, Buffer.concat(pieces));
    }
  });
  return images;
}
