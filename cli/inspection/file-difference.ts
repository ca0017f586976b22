import type { TarBlob } from '../../agent/artifact/config.ts';
import { type LayerEntry, layerIndex } from '../../agent/artifact/layer-index.ts';
import type { BlobSource } from '../../agent/artifact/read.ts';

/** A layer and where it is. */
export type Layer = { readonly blobs: BlobSource; readonly blob: TarBlob };

/** A path that two layers do not say the same of. `what`: in which respects, for a changed one. */
export type FileDifference = {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly type: LayerEntry['type'];
  readonly beforeBytes?: number;
  readonly afterBytes?: number;
  readonly what?: readonly string[];
};

/** What is compared of two entries, each under the name it is told by. */
const respects = {
  type: ({ type }) => type,
  content: ({ digest, sizeBytes }) => `${digest} ${sizeBytes}`,
  link: ({ linkPath }) => linkPath,
  mode: ({ mode }) => String(mode),
  owner: ({ uid, gid }) => `${uid}:${gid}`,
  attributes: ({ attributes }) => attributes,
  // A directory's changes with what is in it, which is told by itself.
  time: ({ type, modifiedAt }) => (type === 'file' ? modifiedAt : ''),
} as const satisfies Record<string, (entry: LayerEntry) => string>;

/** Compares two layers path by path; those of the same bytes are not read. A layer that is not there has no paths. */
export async function fileDifferences(
  before: Layer | undefined,
  after: Layer | undefined,
  kind: 'rootfs' | 'volume',
  signal: AbortSignal,
): Promise<readonly FileDifference[]> {
  if (before?.blob.digest === after?.blob.digest) return [];
  const index = async (layer: Layer | undefined): Promise<ReadonlyMap<string, LayerEntry>> =>
    layer === undefined ? new Map() : await layerIndex(layer.blobs, layer.blob, kind, signal);
  const [first, second] = [await index(before), await index(after)];
  const paths = [...new Set([...first.keys(), ...second.keys()])].toSorted();
  return paths.flatMap((path) => differenceAt(path, first.get(path), second.get(path)));
}

function differenceAt(
  path: string,
  before: LayerEntry | undefined,
  after: LayerEntry | undefined,
): readonly FileDifference[] {
  if (before === undefined) {
    if (after === undefined) return [];
    return [{ path, change: 'added', type: after.type, afterBytes: after.sizeBytes }];
  }
  if (after === undefined) {
    return [{ path, change: 'removed', type: before.type, beforeBytes: before.sizeBytes }];
  }
  const what = Object.entries(respects).flatMap(([name, of]) =>
    of(before) === of(after) ? [] : [name],
  );
  if (what.length === 0) return [];
  const sizes = { beforeBytes: before.sizeBytes, afterBytes: after.sizeBytes };
  return [{ path, change: 'changed', type: after.type, ...sizes, what }];
}
