import { type ArtifactContainer, corruptArtifact } from '../../agent/artifact/config.ts';
import type { BlobSource } from '../../agent/artifact/read.ts';
import { MemoryReader } from '../../agent/artifact/read-memory.ts';
import type { Mapping, Range } from '../../agent/criu-images/memory-map.ts';
import { locate, type Pagemap, residentBytes } from '../../agent/criu-images/pagemap.ts';
import type { ContainerImages, ImagedProcess } from './container-images.ts';

/** The kernel takes six MiB of arguments at most, and no workload has that. */
const longestTextBytes = 2 ** 20;
const pageSizes: readonly number[] = [4096, 16_384, 65_536];

/** A mapping with what of it is in the artifact. */
export type ResidentMapping = Mapping & { readonly residentBytes: number };

/** The memory of one container: what is resident, and the bytes where they are asked for. */
export class ContainerMemory {
  readonly #blobs: BlobSource;
  readonly #files: ReadonlyMap<string, ArtifactContainer['memory'][number]>;
  readonly #sharedMemory: ContainerImages['sharedMemory'];
  readonly #readers = new Map<string, MemoryReader>();

  constructor(blobs: BlobSource, container: ArtifactContainer, images: ContainerImages) {
    this.#blobs = blobs;
    this.#files = new Map(container.memory.map((file) => [file.file, file]));
    this.#sharedMemory = images.sharedMemory;
  }

  /** Every mapping of a process, in order of addresses. */
  mappings({ memory }: ImagedProcess): readonly ResidentMapping[] {
    if (memory === undefined) return [];
    const { map, pagemap } = memory;
    const own = residentBytes(map.mappings, pagemap, this.#pageBytes(pagemap));
    return map.mappings.map((mapping, index) => {
      const shared =
        mapping.kind === 'shared memory' ? this.#sharedMemory.get(mapping.sourceID) : undefined;
      return {
        ...mapping,
        residentBytes:
          shared === undefined ? (own[index] ?? 0) : this.#sharedBytes(mapping, shared),
      };
    });
  }

  /** The words between two addresses, as argv and the environment lie there; undefined where they are not in the artifact. */
  async words(
    { memory }: ImagedProcess,
    range: Range,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined> {
    if (memory === undefined || range.end === range.start) return undefined;
    const end = range.start + BigInt(longestTextBytes);
    const bounded = { start: range.start, end: range.end < end ? range.end : end };
    const pageBytes = this.#pageBytes(memory.pagemap);
    const pieces: Buffer[] = [];
    for (const { lengthBytes, offsetBytes } of locate(bounded, memory.pagemap, pageBytes)) {
      if (offsetBytes === undefined) return undefined;
      const reader = this.#reader(memory.pagemap);
      pieces.push(await reader.read(offsetBytes, lengthBytes, signal));
    }
    return Buffer.concat(pieces).toString('utf8').replace(/\0+$/, '').split('\0');
  }

  #sharedBytes({ start, end, offsetBytes }: Mapping, pagemap: Pagemap): number {
    const range = { start: offsetBytes, end: offsetBytes + (end - start) };
    return residentBytes([range], pagemap, this.#pageBytes(pagemap))[0] ?? 0;
  }

  /** No image says how long a page is, but the length of the pages and their number do. */
  #pageBytes({ pagesID, presentPages }: Pagemap): number {
    if (presentPages === 0) return 4096;
    const { sizeBytes = 0 } = this.#files.get(pagesName(pagesID)) ?? {};
    const pageBytes = sizeBytes / presentPages;
    if (pageSizes.includes(pageBytes)) return pageBytes;
    throw corruptArtifact(
      `${pagesName(pagesID)} has ${sizeBytes} bytes, which are not ${presentPages} pages`,
    );
  }

  #reader({ pagesID }: Pagemap): MemoryReader {
    const name = pagesName(pagesID);
    const file = this.#files.get(name);
    if (file === undefined) throw corruptArtifact(`it lacks ${name}`);
    const reader = this.#readers.get(name) ?? new MemoryReader(this.#blobs, file);
    this.#readers.set(name, reader);
    return reader;
  }
}

const pagesName = (pagesID: number): string => `pages-${pagesID}.img`;
