import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishArtifact } from '../../../../agent/artifact/publish.ts';
import { dirStore } from '../../../../agent/store/dir/dir-store.ts';
import { makeDump, someFacts, tarDirectory } from '../../../support/fake-dump.ts';
import { imageOf, message, type Value } from '../../agent/criu-images/image-of.ts';

const page = 4096;
const stackAt = 0x7ffe_0000_0000;

/** What the made-up root process was started with. */
export type MadeUp = {
  readonly words: readonly string[];
  readonly environment: readonly string[];
  /** Fills its heap. */
  readonly heapByte: number;
  readonly heapPages: number;
};
export const someRoot: MadeUp = {
  words: ['python3', '/app.py', '--token', 'hunter2'],
  environment: ['PATH=/bin', 'API_KEY=abc123', 'DATABASE_URL=postgres://me:pw@db/x'],
  heapByte: 7,
  heapPages: 2,
};

const owner = message({ 1: 0, 2: 0, 3: 0, 4: 0, 5: 0 });
const credentials = (uid: number): Buffer =>
  message({
    ...{ 1: uid, 2: uid, 3: uid, 4: uid, 5: uid, 6: uid, 7: uid, 8: uid },
    ...{ 9: [0, 0], 10: [0x400, 0], 11: [0x400, 0], 12: [0x400, 0], 13: 0, 18: 1, 19: [0x400, 0] },
  });
const core = (command: string, uid: number, state = 1): Buffer =>
  imageOf(
    'core',
    message({
      1: 1,
      3: message({ 1: state, 2: 256, 3: 0, 4: 0, 5: 0, 6: command }),
      ...(state === 2
        ? {}
        : { 5: message({ 1: 0, 2: 0, 10: credentials(uid), 11: 2, 13: command }) }),
    }),
  );
const mapping = (start: number, pages: number, fields: Readonly<Record<number, Value>>): Buffer =>
  message({ 1: start, 2: start + pages * page, 3: 0, 4: 0, 5: 3, 6: 2, 7: 1, 8: 1, ...fields });
const run = (address: number, pages: number): Buffer =>
  message({ 1: address, 2: 0, 4: 4, 5: pages });
const file = (id: number, type: number, field: number, entry: Buffer): Buffer =>
  message({ 1: type, 2: id, [field]: entry });
const regular = (id: number, path: string): Buffer =>
  file(id, 1, 3, message({ 1: id, 2: 0o2002, 3: 5, 5: owner, 6: path, 8: 10 }));

/** Images of a container with a python3 that has a zombie child, a socket, a log that was deleted, a heap and a text of one page. */
export function madeUpImages({
  words,
  environment,
  heapByte,
  heapPages,
}: MadeUp): Record<string, Buffer> {
  const text = (list: readonly string[]): Buffer => Buffer.from(list.map((w) => `${w}\0`).join(''));
  const [argumentBytes, environmentBytes] = [text(words), text(environment)];
  const stack = Buffer.concat([argumentBytes, environmentBytes], page);
  const middle = stackAt + argumentBytes.byteLength;
  return {
    'inventory.img': imageOf('inventory', message({ 1: 2, 6: 2, 8: 1_000_000 })),
    'pstree.img': imageOf(
      'pstree',
      message({ 1: 1, 2: 0, 3: 1, 4: 1, 5: [1, 2] }),
      message({ 1: 9, 2: 1, 3: 1, 4: 1, 5: [1_570_136_992] }),
    ),
    'core-1.img': core('python3', 1000),
    'core-2.img': core('worker', 1000),
    'core-9.img': core('sh', 0, 2),
    'ids-1.img': imageOf('ids', message({ 1: 1, 2: 3, 3: 1, 4: 1 })),
    'fs-1.img': imageOf('fs', message({ 1: 20, 2: 21, 3: 18 })),
    'mm-1.img': imageOf(
      'mm',
      message({
        ...{ 1: 0, 2: 0, 3: 0, 4: 0, 5: stackAt, 6: 0, 7: 0, 12: 20 },
        ...{ 8: stackAt, 9: middle, 10: middle, 11: middle + environmentBytes.byteLength },
        14: [
          mapping(0x10_0000, heapPages + 2, { 7: 1 | 32 | 512 }),
          mapping(0x7f00_0000_0000, 8, { 4: 22, 5: 5, 7: 1 | 64 }),
          mapping(stackAt, 1, {}),
        ],
      }),
    ),
    'pagemap-1.img': imageOf(
      'pagemap',
      message({ 1: 1 }),
      run(0x10_1000, heapPages),
      run(stackAt, 1),
    ),
    'pages-1.img': Buffer.concat([Buffer.alloc(heapPages * page, heapByte), stack]),
    'fdinfo-3.img': imageOf(
      'fdinfo',
      message({ 1: 22, 2: 0, 3: 1, 4: 3 }),
      message({ 1: 23, 2: 1, 3: 4, 4: 4 }),
      message({ 1: 24, 2: 0, 3: 5, 4: 5 }),
      message({ 1: 25, 2: 0, 3: 7, 4: 6 }),
    ),
    'files.img': imageOf(
      'files',
      ...[regular(20, '/usr/bin/python3'), regular(21, '/'), regular(22, '/var/log/app.log')],
      file(
        23,
        4,
        4,
        message({
          ...{ 1: 23, 2: 7, 3: 2, 4: 1, 5: 6, 6: 10, 7: 8080, 8: 0, 9: 2, 10: 128 },
          ...{ 11: 0x0100_007f, 12: 0, 13: owner, 14: Buffer.alloc(0) },
        }),
      ),
      file(
        24,
        5,
        16,
        message({ 1: 24, 2: 8, 3: 1, 4: 10, 5: 2, 6: 0, 7: 1, 8: 0, 9: owner, 11: '\0abstract' }),
      ),
      file(25, 7, 9, message({ 1: 25, 2: 2, 3: owner, 4: [message({ 1: 25, 2: 4, 3: 1 })] })),
    ),
    'remap-fpath.img': imageOf('remapFpath', message({ 1: 22, 2: 1, 3: 1 })),
  };
}

/** Publishes a container of these images under a content UID, with `files` in its writable layer, and returns the directory of the store. */
export async function publishImages(
  base: string,
  contentUID: string,
  images: Readonly<Record<string, Buffer>>,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const root = join(base, 'store');
  const stagingDirectory = join(base, `staging-${contentUID}`);
  const dump = await makeDump(stagingDirectory, {});
  for (const name of ['core-1.img', 'empty-2.img', 'inventory.img']) {
    await rm(join(stagingDirectory, 'images', name));
  }
  for (const [name, bytes] of Object.entries(images)) {
    await writeFile(join(stagingDirectory, 'images', name), bytes);
  }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(stagingDirectory, 'rootfs.tar.d', name), text);
  }
  tarDirectory(join(stagingDirectory, 'rootfs.tar.d'), join(stagingDirectory, 'rootfs.tar'));
  await publishArtifact({
    ...{ store: dirStore(root), dump, stagingDirectory, fence: 1 },
    facts: {
      ...someFacts,
      contentUID,
      snapshot: { ...someFacts.snapshot, name: `snapshot-${contentUID}` },
    },
    key: { namespace: 'default', contentUID },
    beforeReference: async () => undefined,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  return root;
}
