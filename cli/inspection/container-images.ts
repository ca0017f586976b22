import type { ArtifactContainer } from '../../agent/artifact/config.ts';
import type { BlobSource } from '../../agent/artifact/read.ts';
import { readImages } from '../../agent/artifact/read-images.ts';
import { type Core, parseCore, parseFilesID } from '../../agent/criu-images/core.ts';
import {
  type Descriptor,
  parseDescriptors,
  parseRemapped,
  parseWorkingDirectory,
} from '../../agent/criu-images/descriptors.ts';
import { type OpenFile, parseFiles } from '../../agent/criu-images/files.ts';
import { type Inventory, parseInventory } from '../../agent/criu-images/inventory.ts';
import { type MemoryMap, parseMemoryMap } from '../../agent/criu-images/memory-map.ts';
import { corruptImage } from '../../agent/criu-images/message.ts';
import { type Pagemap, parsePagemap } from '../../agent/criu-images/pagemap.ts';
import { parseProcessTree, type TreeEntry } from '../../agent/criu-images/process-tree.ts';

/** Everything that is read here; memory is not among it. */
const wantedImages =
  /^(inventory|pstree|files|remap-fpath|(core|ids|mm|fs|fdinfo|pagemap)-[0-9]{1,10}|pagemap-shmem-[0-9]{1,20})\.img$/;

/** A process of a container, as its images say it. What a dead one no longer has is absent. */
export type ImagedProcess = {
  readonly entry: TreeEntry;
  readonly core: Core;
  /** Names of its threads, its own first. */
  readonly threadNames: readonly string[];
  readonly memory: { readonly map: MemoryMap; readonly pagemap: Pagemap } | undefined;
  readonly descriptors: readonly Descriptor[];
  readonly place: ReturnType<typeof parseWorkingDirectory>;
};

/** What the images of a container say. */
export type ContainerImages = {
  readonly inventory: Inventory;
  readonly processes: readonly ImagedProcess[];
  readonly files: ReadonlyMap<number, OpenFile>;
  /** Ids of files that lost their name. */
  readonly removed: ReadonlySet<number>;
  /** By the number in the name of the image. */
  readonly sharedMemory: ReadonlyMap<bigint, Pagemap>;
};

/** Reads the small images of a container and takes them apart. Throws ArtifactCorrupt with the name of the image that is not as it must be. */
export const readContainerImages = async (
  blobs: BlobSource,
  container: ArtifactContainer,
  signal: AbortSignal,
): Promise<ContainerImages> =>
  parseImages(await readImages(blobs, container, wantedImages, signal));

/** The same from images in memory, by their names. */
export function parseImages(images: ReadonlyMap<string, Buffer>): ContainerImages {
  const optional = <T>(name: string, parse: (name: string, image: Buffer) => T): T | undefined => {
    const image = images.get(name);
    return image === undefined ? undefined : parse(name, image);
  };
  const required = <T>(name: string, parse: (name: string, image: Buffer) => T): T => {
    const parsed = optional(name, parse);
    if (parsed === undefined) throw corruptImage(name, 'it is missing');
    return parsed;
  };
  const shared = [...images.keys()].flatMap((name) => {
    const id = /^pagemap-shmem-([0-9]+)\.img$/.exec(name)?.[1];
    return id === undefined ? [] : [[BigInt(id), required(name, parsePagemap)] as const];
  });
  return {
    inventory: required('inventory.img', parseInventory),
    processes: required('pstree.img', parseProcessTree).map((entry) =>
      processOf(entry, optional, required),
    ),
    files: optional('files.img', parseFiles) ?? new Map(),
    removed: optional('remap-fpath.img', parseRemapped) ?? new Set(),
    sharedMemory: new Map(shared),
  };
}

type Read<T> = (name: string, parse: (name: string, image: Buffer) => T) => T;

function processOf(
  entry: TreeEntry,
  optional: <T>(...read: Parameters<Read<T>>) => T | undefined,
  required: <T>(...read: Parameters<Read<T>>) => T,
): ImagedProcess {
  const { pid } = entry;
  const core = required(`core-${pid}.img`, parseCore);
  const runs = core.task?.state === 'alive' || core.task?.state === 'stopped';
  if (!runs) {
    const nothing = { threadNames: [], memory: undefined, descriptors: [], place: undefined };
    return { entry, core, ...nothing };
  }
  const others = entry.threads.filter((thread) => thread !== pid);
  const map = optional(`mm-${pid}.img`, parseMemoryMap);
  const pagemap = optional(`pagemap-${pid}.img`, parsePagemap);
  const filesID = optional(`ids-${pid}.img`, parseFilesID) ?? core.filesID;
  return {
    ...{ entry, core },
    threadNames: [
      core.threadName ?? core.task?.command ?? '',
      ...others.map((thread) => required(`core-${thread}.img`, parseCore).threadName ?? ''),
    ],
    memory: map === undefined || pagemap === undefined ? undefined : { map, pagemap },
    descriptors:
      filesID === undefined ? [] : (optional(`fdinfo-${filesID}.img`, parseDescriptors) ?? []),
    place: optional(`fs-${pid}.img`, parseWorkingDirectory),
  };
}
