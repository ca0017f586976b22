import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../../../core/units.ts';
import { shown } from '../../capture/check-wording.ts';
import { parseCore } from '../../criu-images/core.ts';
import { imageEntries } from '../../criu-images/image-file.ts';
import { corruptImage } from '../../criu-images/message.ts';
import { parseMountTable } from '../../criu-images/mount-table.ts';
import {
  openKind,
  parseInheritedNetwork,
  parseNamespaceIDs,
  parseSurroundings,
} from '../../criu-images/namespaces.ts';
import { parseProcessTree, type TreeEntry } from '../../criu-images/process-tree.ts';
import {
  parseSeccompFilters,
  reachesEveryThread,
  type SeccompFilter,
} from '../../criu-images/seccomp.ts';
import type { ImageFacts, ThreadFacts } from '../gates/facts.ts';

/**
 * Images that our dumps write. Not among them, because CRIU would start a program of the container for it, load code, or read what is checked
 * elsewhere from an older format: tmpfs-dev-*, route-*, ifaddr-*, iptables-*, nftables-*, userns-*, autofs-*, creds-*, reg-files, ...
 */
const ours = new RegExp(
  `^(${[
    ...['inventory', 'pstree', 'files', 'seccomp', 'cpuinfo', 'cgroup', 'memfd', 'filelocks'],
    ...[
      'remap-fpath',
      'pipes-data',
      'fifo-data',
      'sk-queues',
      'tty-info',
      'tty-data',
      'irmap-cache',
    ],
    ...['(core|ids|fs|mm|fdinfo|pagemap|mountpoints|netns|utsns|timens)-[0-9]+'],
    ...['pagemap-shmem-[0-9]+', 'pages-[0-9]+', 'ipcns-(var|shm|msg|sem)-[0-9]+'],
    '(tcp-stream|ghost-file)-[0-9a-fA-F]+',
  ].join('|')})\\.img$`,
);

/** MS_RDONLY. */
const readOnlyFlag = 1;
/** Far above what a pod has; read into memory as a whole. */
const largestImageBytes = 64 * 2 ** 20;

async function readImage(directory: string, name: string): Promise<Buffer> {
  await using file = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const { size } = await file.stat();
  if (size > largestImageBytes) {
    throw corruptImage(name, `${formatBytes(size)} are too many`);
  }
  return file.readFile();
}

/** What the images of a container would make CRIU do. Throws ArtifactCorrupt for images that are not as CRIU writes them. */
export async function readImageFacts(directory: string): Promise<ImageFacts> {
  const names = (await readdir(directory)).toSorted();
  const each = async <T>(
    kind: string,
    parse: (name: string, image: Buffer) => T,
  ): Promise<readonly T[]> => {
    const pattern = new RegExp(`^${kind}-[0-9]+\\.img$`);
    const found: T[] = [];
    for (const name of names.filter((one) => pattern.test(one))) {
      found.push(parse(name, await readImage(directory, name)));
    }
    return found;
  };
  const one = async <T>(name: string, parse: (name: string, image: Buffer) => T): Promise<T> => {
    if (!names.includes(name)) throw corruptImage(name, 'it is missing');
    return parse(name, await readImage(directory, name));
  };
  const { outside, networkLock } = await one('inventory.img', parseSurroundings);
  const tree = await one('pstree.img', parseProcessTree);
  const filters = names.includes('seccomp.img')
    ? await one('seccomp.img', parseSeccompFilters)
    : [];
  const threads = withSyncedFilters(await each('core', threadFacts), tree, filters);
  const namespaces = await each('ids', (name, image) => ({
    name: `process ${numberIn(name)}`,
    ...parseNamespaceIDs(name, image),
  }));
  const ended = new Set(
    threads
      .filter(({ core }) => core.task?.state === 'zombie' || core.task?.state === 'dead')
      .map(({ number }) => number),
  );
  for (const { pid } of tree) {
    // Without them CRIU would leave the process in its own namespaces.
    if (!ended.has(pid) && !names.includes(`ids-${pid}.img`)) {
      throw corruptImage(`ids-${pid}.img`, 'it is missing');
    }
  }
  const [first] = tree;
  const main = namespaces.find(({ name }) => name === `process ${first?.pid}`)?.mount;
  const tables = await each('mountpoints', (name, image) => ({
    isMain: numberIn(name) === main,
    mounts: parseMountTable(name, image).map(({ flags, ...mount }) => ({
      ...mount,
      readOnly: (flags & readOnlyFlag) !== 0,
    })),
  }));
  if (!tables.some(({ isMain }) => isMain)) {
    throw corruptImage(`mountpoints-${main}.img`, 'it is missing');
  }
  const mountTables = [
    ...tables.filter(({ isMain }) => isMain),
    ...tables.filter(({ isMain }) => !isMain),
  ].map(({ mounts }) => mounts);
  return {
    ...{ outside, networkLock, threads, namespaces },
    unknownFiles: names.filter((name) => !ours.test(name)),
    mountTables,
    networks: await each('netns', parseInheritedNetwork),
    descriptors: await one(
      'files.img',
      (name, image) => new Set(imageEntries(name, image, 'files').map(openKind)),
    ),
  };
}

const numberIn = (name: string): number => Number(/[0-9]+/.exec(name)?.[0]);

/** Threads that get the filters of the first of their process. */
function withSyncedFilters(
  threads: readonly NumberedThread[],
  tree: readonly TreeEntry[],
  filters: readonly SeccompFilter[],
): readonly NumberedThread[] {
  const cores = new Map(threads.map(({ number, core }) => [number, core]));
  const modes = new Map<number, number>();
  for (const { pid, threads: numbers } of tree) {
    const first = cores.get(pid);
    if (first?.seccompFilter === undefined) continue;
    if (!reachesEveryThread(filters, first.seccompFilter)) continue;
    for (const number of numbers) modes.set(number, first.seccompMode);
  }
  return threads.map((thread) => {
    const seccompMode = thread.core.seccompMode || (modes.get(thread.number) ?? 0);
    return { ...thread, core: { ...thread.core, seccompMode } };
  });
}

type NumberedThread = ThreadFacts & { readonly number: number };

function threadFacts(name: string, image: Buffer): NumberedThread {
  const core = parseCore(name, image);
  const what = core.task === undefined ? 'thread' : 'process';
  const label = core.task?.command ?? core.threadName ?? '';
  const number = numberIn(name);
  return { name: `${what} ${number} (${shown(label)})`, number, core };
}
