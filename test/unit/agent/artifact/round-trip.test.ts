import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extractArtifact } from '../../../../agent/artifact/extract.ts';
import { publishArtifact } from '../../../../agent/artifact/publish.ts';
import {
  attributedTree,
  everyAttribute,
  makeAttributedTree,
  untar,
} from '../../../support/attributed-tree.ts';
import { makeDump, someFacts, tarDirectory } from '../../../support/fake-dump.ts';
import { memoryStore } from '../../../support/memory-store.ts';

const isRoot = process.getuid?.() === 0;
const { signal } = new AbortController();
const key = { namespace: 'default', contentUID: 'c0ffee' };

describe('an artifact gives back', () => {
  let base: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'round-trip-'));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  /** The tree that comes out of an artifact which the tree went into. */
  async function throughArtifact(
    directory: string,
    source: string,
    as: 'rootfs' | 'volume',
  ): Promise<string> {
    const staging = join(directory, 'staging');
    const dump = await makeDump(staging, { 'pages-1.img': Buffer.from('memory') });
    const tar = join(staging, as === 'rootfs' ? 'rootfs.tar' : 'shm.tar');
    await rm(tar);
    tarDirectory(source, tar);
    const store = memoryStore();
    await publishArtifact({
      ...{ store, dump, stagingDirectory: staging, facts: someFacts, key, fence: 1, signal },
      beforeReference: async () => undefined,
      onProgress: () => undefined,
    });
    await extractArtifact(store, key, join(directory, 'out'), signal);
    const unpacked = join(directory, 'unpacked');
    await mkdir(unpacked);
    untar(
      join(
        directory,
        as === 'rootfs' ? 'out/containers/main/rootfs.tar' : 'out/volumes/dev-shm.tar',
      ),
      unpacked,
    );
    return unpacked;
  }

  const overlayAttribute = /^SCHILY\.xattr\.trusted\.overlay\./;
  type Line = [string, string, number, number, number, number, string, [string, string][], string];

  /** What an OCI layer makes of a line: marks instead of deletions and opaque directories, without the overlay's own attributes. */
  function asLayer(text: string): readonly string[] {
    const line: Line = JSON.parse(text);
    const [path, type, mode, uid, gid, time, link, attributes, ...rest] = line;
    const slash = path.lastIndexOf('/') + 1;
    const mark = (at: string): string => JSON.stringify([at, ...markFacts, ...rest]);
    if (type === '3') return [mark(`${path.slice(0, slash)}.wh.${path.slice(slash)}`)];
    const own = attributes.filter(([name]) => !overlayAttribute.test(name));
    const same = JSON.stringify([path, type, mode, uid, gid, time, link, own, ...rest]);
    const opaque = attributes.some(([name]) => name.endsWith('.overlay.opaque'));
    return opaque ? [same, mark(`${path}.wh..wh..opq`)] : [same];
  }
  const markFacts = ['0', 0o600, 0, 0, 0, '', []];

  it.runIf(isRoot)(
    'any writable layer and any volume, with every attribute of every file',
    async () => {
      let count = 0;
      await fc.assert(
        fc.asyncProperty(attributedTree, async (tree) => {
          count += 1;
          const directory = join(base, String(count));
          const source = join(directory, 'source');
          await mkdir(source, { recursive: true });
          await makeAttributedTree(source, tree);
          const expected = await everyAttribute(source);
          const unpacked = await throughArtifact(directory, source, 'rootfs');
          expect(await everyAttribute(unpacked)).toEqual(expected.flatMap(asLayer).sort());
          await rm(directory, { recursive: true });
        }),
        { numRuns: 12 },
      );
    },
    60_000,
  );

  it.runIf(isRoot)(
    'any volume as it was, attributes of an overlay apart',
    async () => {
      let count = 0;
      const withoutDevices = attributedTree.map((tree) =>
        tree.filter(({ kind }) => kind !== 'whiteout').map((each) => ({ ...each, opaque: false })),
      );
      await fc.assert(
        fc.asyncProperty(withoutDevices, async (tree) => {
          count += 1;
          const directory = join(base, String(count));
          const source = join(directory, 'source');
          await mkdir(source, { recursive: true });
          await makeAttributedTree(source, tree);
          const expected = await everyAttribute(source);
          const unpacked = await throughArtifact(directory, source, 'volume');
          expect(await everyAttribute(unpacked)).toEqual(expected.flatMap(asLayer).sort());
          await rm(directory, { recursive: true });
        }),
        { numRuns: 6 },
      );
    },
    60_000,
  );
});
