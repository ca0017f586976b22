import { openArchive } from '../../agent/artifact/archive-blobs.ts';
import { type Artifact, type BlobSource, readArtifact } from '../../agent/artifact/read.ts';
import type { ReferenceKey, SnapshotStore } from '../../agent/store/store.ts';
import { contentName, systemNamespace } from '../../core/api/names.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import { nameOf } from '../commands/artifact/snapshot-name.ts';
import { openStore } from '../commands/artifact/store-option.ts';
import { RemediedFailure, usageFailure } from '../complaint.ts';

/** An artifact whose documents are read and verified, and where its layers are. */
export type OpenedArtifact = {
  /** As the user may call it: `NAMESPACE/UID`, or the archive. */
  readonly name: string;
  readonly artifact: Artifact;
  readonly blobs: BlobSource;
  readonly close: () => Promise<void>;
};

/** What stands before the path of an archive, as skopeo has it. */
const archivePrefix = 'oci-archive:';

/** Under a command's help. */
export const operandText = `SNAPSHOT is one of
  NAME, NAMESPACE/NAME      a PodSnapshot that was captured into the store
  UID, NAMESPACE/UID        the content, as \`cryopod artifact list\` prints it
  podsnapshotcontent-UID    the same by the name of its object
  sha256:HEX                the digest of the artifact
  oci-archive:FILE          what \`cryopod artifact export\` wrote; needs no store`;

/** Opens what a user names. `storeDirectory`: undefined where none was given. */
export async function openNamed(
  operand: string,
  storeDirectory: string | undefined,
  signal: AbortSignal,
): Promise<OpenedArtifact> {
  if (operand.startsWith(archivePrefix)) {
    return { name: operand, ...(await openArchive(operand.slice(archivePrefix.length), signal)) };
  }
  if (storeDirectory === undefined) {
    throw new RemediedFailure(
      usageFailure(`no store to look for ${operand} in`),
      `Name one with --store, give ${archivePrefix}FILE, or run this where a store is: kubectl exec -n ${systemNamespace} ds/cryopod-agent -- node dist/cli/main.js inspect ${operand}`,
    );
  }
  const store = await openStore(storeDirectory);
  const { key, artifact } = await find(store, operand, signal);
  return { name: nameOf(key), artifact, blobs: store, close: async () => undefined };
}

type Found = { readonly key: ReferenceKey; readonly artifact: Artifact };

/** By its key alone where that is what was given; else by what each artifact says about itself. */
async function find(store: SnapshotStore, operand: string, signal: AbortSignal): Promise<Found> {
  const keys: ReferenceKey[] = [];
  for await (const key of store.listKeys(signal)) keys.push(key);
  const byKey = keys.filter(
    (key) =>
      nameOf(key) === operand ||
      key.contentUID === operand ||
      contentName(key.contentUID) === operand,
  );
  const [only, ...others] = byKey;
  if (only !== undefined && others.length === 0) {
    return { key: only, artifact: await readArtifact(store, only, signal) };
  }
  const unreadable: string[] = [];
  const artifacts: Found[] = [];
  for (const key of byKey.length > 0 ? [] : keys) {
    const artifact = await unlessDamaged(store, key, signal);
    if (artifact === undefined) unreadable.push(nameOf(key));
    else if (isNamed(operand, artifact)) artifacts.push({ key, artifact });
  }
  const distinct = new Map(artifacts.map((each) => [each.artifact.reference.digest, each]));
  const [match, ...rest] = [...distinct.values()];
  if (match !== undefined && rest.length === 0) return match;
  const names = [...byKey, ...artifacts.map(({ key }) => key)].map(nameOf);
  if (names.length > 0) {
    throw usageFailure(`${operand} may be ${names.join(', ')}: name one of them`);
  }
  const damaged = unreadable.length === 0 ? '' : `; ${unreadable.join(', ')} cannot be read`;
  throw new Failure(
    'gone',
    'NotFound',
    `the store has no snapshot ${JSON.stringify(operand)}${damaged}`,
  );
}

function isNamed(operand: string, { reference, config }: Artifact): boolean {
  const { namespace, name, uid } = config.snapshot;
  return [reference.digest, name, `${namespace}/${name}`, uid, contentName(uid)].includes(operand);
}

/** A damaged neighbour must not hide the one that is asked for. */
async function unlessDamaged(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Artifact | undefined> {
  try {
    return await readArtifact(store, key, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isFailure(error, 'terminal', 'gone')) return undefined;
    throw error;
  }
}
