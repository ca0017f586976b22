import { readdir, rmdir, unlink } from 'node:fs/promises';
import * as z from 'zod';
import { Failure, isFailure } from '../../../core/failure.ts';
import { isDigest } from '../digest.ts';
import { errorCode } from '../error-code.ts';
import { checkReferenceKey, isReferenceKey } from '../reference-key.ts';
import type { Leftover, ManifestBlob, Reference, ReferenceKey } from '../store.ts';
import {
  type ConfinedDirectory,
  fileSize,
  lstatIfThere,
  openDirectory,
  openFileIfThere,
} from './confined-directory.ts';
import { removeIfThere, syncAlone, writeDurably } from './durable-file.ts';
import { makeBelow, openBelow, referencesPath, temporaryPath } from './layout.ts';

const longestReferenceBytes = 64 * 1024;
const suffix = '.json';
const indexName = 'index.json';

const manifestSchema = z.object({
  digest: z.string().refine(isDigest, 'must be sha256:<64 hex digits>'),
  size: z.number().int().min(1),
  mediaType: z.string().min(1).max(255),
});
const referenceSchema = manifestSchema.extend({ fence: z.number().int().min(0) });
const indexSchema = z.object({ manifests: z.tuple([manifestSchema]) });

/** Writes oci-layout and index.json, then the reference, each durable before the next begins; false where a reference stands already. */
export async function putReference(
  root: string,
  key: ReferenceKey,
  reference: Reference,
): Promise<boolean> {
  checkReferenceKey(key);
  if ((await getReference(root, key)) !== undefined) return false;
  await using temporary = await makeBelow(root, temporaryPath);
  await using namespace = await makeBelow(root, [...referencesPath, key.namespace]);
  await writeLayout(root, temporary, key, reference);
  const written = await writeDurably(
    { temporary, target: namespace, name: key.contentUID + suffix },
    'keep',
    (file) => file.writeFile(`${JSON.stringify(reference)}\n`),
    syncAlone,
  );
  await namespace.handle.sync();
  if (!written) {
    // Somebody else was faster, and index.json must be the winner's.
    const winner = await getReference(root, key);
    if (winner !== undefined) await writeLayout(root, temporary, key, winner);
  }
  return written;
}

async function writeLayout(
  root: string,
  temporary: ConfinedDirectory,
  key: ReferenceKey,
  reference: Reference,
): Promise<void> {
  await using target = await makeBelow(root, [...referencesPath, key.namespace, key.contentUID]);
  const { mediaType, digest, size } = reference;
  const annotations = { 'org.opencontainers.image.ref.name': key.contentUID };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType, digest, size, annotations }],
  };
  const files = { 'oci-layout': { imageLayoutVersion: '1.0.0' }, [indexName]: index };
  for (const [name, content] of Object.entries(files)) {
    await writeDurably(
      { temporary, target, name },
      'replace',
      (file) => file.writeFile(`${JSON.stringify(content)}\n`),
      syncAlone,
    );
  }
  await target.handle.sync();
}

/** The reference of a key; undefined where there is none. Throws ArtifactCorrupt for one that cannot be read. */
export async function getReference(
  root: string,
  key: ReferenceKey,
): Promise<Reference | undefined> {
  checkReferenceKey(key);
  await using namespace = await openBelow(root, [...referencesPath, key.namespace]);
  return namespace === undefined ? undefined : await readReference(namespace, key);
}

async function readReference(
  namespace: ConfinedDirectory,
  key: ReferenceKey,
): Promise<Reference | undefined> {
  const name = key.contentUID + suffix;
  return await readDocument(namespace, name, `${key.namespace}/${name}`, referenceSchema);
}

/** Opened before anything is asked of it: a deletion may take it at any moment, and one that was taken is one that is not there. */
async function readDocument<T>(
  directory: ConfinedDirectory,
  name: string,
  shown: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const damaged = (why: string): Failure =>
    new Failure('terminal', 'ArtifactCorrupt', `reference ${shown}: ${why}`);
  await using file = await openFileIfThere(directory, name);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  if (size > longestReferenceBytes) throw damaged(`${size} bytes are too many`);
  const text = await file.readFile('utf8');
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw damaged('it is not JSON');
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw damaged(z.prettifyError(parsed.error));
  return parsed.data;
}

/**
 * Removes the reference first, durably, and the snapshot's own layout last: it says what the reference named to whoever calls again after a crash
 * or a failure of `discard` in between. One that is not there is fine.
 */
export async function deleteReference(
  root: string,
  key: ReferenceKey,
  discard: (manifest: ManifestBlob) => Promise<void>,
): Promise<void> {
  checkReferenceKey(key);
  await using namespace = await openBelow(root, [...referencesPath, key.namespace]);
  if (namespace === undefined) return;
  const manifest =
    (await ifReadable(readReference(namespace, key))) ?? (await ifReadable(readLayout(root, key)));
  await removeIfThere(namespace.entry(key.contentUID + suffix));
  await namespace.handle.sync();
  if (manifest !== undefined) await discard(manifest);
  await removeLayout(namespace, key);
}

/** One too damaged to be read is deleted all the same; a sweep takes its blobs. */
async function ifReadable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isFailure(error, 'terminal')) return undefined;
    throw error;
  }
}

async function readLayout(root: string, key: ReferenceKey): Promise<ManifestBlob | undefined> {
  const path = [key.namespace, key.contentUID];
  await using layout = await openBelow(root, [...referencesPath, ...path]);
  if (layout === undefined) return undefined;
  const shown = [...path, indexName].join('/');
  return (await readDocument(layout, indexName, shown, indexSchema))?.manifests[0];
}

async function removeLayout(namespace: ConfinedDirectory, key: ReferenceKey): Promise<void> {
  try {
    await using layout = await openDirectory(namespace, key.contentUID);
    for (const name of await readdir(layout.path)) await unlink(layout.entry(name));
    await rmdir(namespace.entry(key.contentUID));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

type Place = { readonly namespace: ConfinedDirectory; readonly key: ReferenceKey };

/** Every name in the namespaces of a store that ends in `ending` and may be a key. */
async function* places(root: string, ending: string): AsyncGenerator<Place> {
  await using all = await openBelow(root, referencesPath);
  if (all === undefined) return;
  for (const name of await readdir(all.path)) {
    await using namespace = await openDirectory(all, name);
    for (const entry of await readdir(namespace.path)) {
      if (!entry.endsWith(ending)) continue;
      const key = { namespace: name, contentUID: entry.slice(0, entry.length - ending.length) };
      if (isReferenceKey(key)) yield { namespace, key };
    }
  }
}

/** Every key that a reference stands under, whether it can be read or not. */
export async function* listKeys(root: string): AsyncGenerator<ReferenceKey> {
  for await (const { key } of places(root, suffix)) yield key;
}

/** Every reference of the store. Throws at the first that cannot be read: who deletes by this list must not miss one. */
export async function* listReferences(
  root: string,
): AsyncGenerator<{ readonly key: ReferenceKey; readonly reference: Reference }> {
  for await (const { namespace, key } of places(root, suffix)) {
    const reference = await readReference(namespace, key);
    if (reference !== undefined) yield { key, reference };
  }
}

/** Layouts without a reference that nobody touched since `before`: their writer died before the commit, or a deletion after it. */
export async function* listOrphanLayouts(
  root: string,
  before: number,
): AsyncGenerator<Leftover & { readonly key: ReferenceKey }> {
  for await (const { namespace, key } of places(root, '')) {
    const found = await lstatIfThere(namespace.entry(key.contentUID));
    if (found?.isDirectory() !== true || found.mtimeMs >= before) continue;
    if ((await fileSize(namespace, key.contentUID + suffix)) !== undefined) continue;
    yield {
      key,
      name: [...referencesPath, key.namespace, key.contentUID].join('/'),
      sizeBytes: 0,
      modifiedAtMilliseconds: found.mtimeMs,
    };
  }
}

/** Removes a layout without a reference, and puts it back should the reference be written at this very moment. */
export async function removeOrphanLayout(root: string, key: ReferenceKey): Promise<void> {
  await using namespace = await openBelow(root, [...referencesPath, key.namespace]);
  if (namespace === undefined) return;
  await removeLayout(namespace, key);
  const reference = await readReference(namespace, key);
  if (reference === undefined) return;
  await using temporary = await makeBelow(root, temporaryPath);
  await writeLayout(root, temporary, key, reference);
}
