import * as z from 'zod';
import { Failure } from '../../core/failure.ts';
import { isDigest } from '../store/digest.ts';

/** Version of the config and of everything it implies; another one is refused. */
export const formatVersion = 1;

const text = z.string().max(4096);
const bytes = z
  .number()
  .int()
  .min(0)
  .max(2 ** 50);
const digest = z.string().refine(isDigest, 'must be sha256:<64 hex digits>');
const label = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a lower-case DNS label');
const textMap = z.record(z.string().max(253), text);

/** A blob that is a zstd-compressed tar. `sizeBytes`: of the tar; `storedBytes`: of the blob. */
const tarBlobSchema = z.object({ digest, sizeBytes: bytes, storedBytes: bytes });
export type TarBlob = z.infer<typeof tarBlobSchema>;

/** A piece of a pages file, in order. The digest is of the stored bytes; a piece of zeros is not stored at all. */
const chunkSchema = z.discriminatedUnion('encoding', [
  z.object({ encoding: z.literal('zero'), sizeBytes: bytes }),
  z.object({ encoding: z.enum(['raw', 'zstd']), sizeBytes: bytes, digest, storedBytes: bytes }),
]);
export type Chunk = z.infer<typeof chunkSchema>;

const memoryFileSchema = z
  .object({
    file: z.string().regex(/^pages-[A-Za-z0-9-]{1,64}\.img$/),
    sizeBytes: bytes,
    /** Where the file is cut: every piece but the last is so long. */
    chunkBytes: z
      .number()
      .int()
      .min(1)
      .max(64 * 2 ** 20),
    chunks: z.array(chunkSchema).max(1_000_000),
  })
  .refine(
    ({ sizeBytes, chunkBytes, chunks }) =>
      chunks.length === Math.ceil(sizeBytes / chunkBytes) &&
      chunks.every((chunk, index) =>
        index < chunks.length - 1
          ? chunk.sizeBytes === chunkBytes
          : chunk.sizeBytes === sizeBytes - index * chunkBytes,
      ),
    'its chunks do not add up to its size',
  );
export type MemoryFile = z.infer<typeof memoryFileSchema>;

const containerSchema = z.object({
  name: label,
  image: text,
  imageID: text,
  limits: textMap,
  frozenAt: text,
  freezeMilliseconds: z.number().min(0),
  criuVersion: text,
  criuOptions: z.array(text).max(1000),
  /** Names of stdin, stdout and stderr as CRIU knows them. */
  stdio: z.array(text).max(16),
  mounts: z
    .array(
      z.object({
        path: text,
        treatment: z.enum(['rootfs', 'criu', 'external', 'volume']),
        /** The pod's volume; of `volumes` where that is the treatment (older artifacts, with no volume but `dev-shm`, leave it out). */
        volume: text.optional(),
        kind: text.optional(),
        subPath: text.optional(),
        /** The persistent volume claim that the restored pod must have there. */
        claim: text.optional(),
      }),
    )
    .max(10_000),
  criu: tarBlobSchema,
  memory: z.array(memoryFileSchema).max(10_000),
  rootfs: tarBlobSchema,
  volumes: z.array(tarBlobSchema.extend({ name: label })).max(1000),
});
export type ArtifactContainer = z.infer<typeof containerSchema>;

const volumesIn = (containers: readonly ArtifactContainer[]): ArtifactContainer['volumes'] =>
  containers.flatMap(({ volumes }) => volumes);

const namesOfVolumes = (containers: readonly ArtifactContainer[]): ReadonlySet<string> =>
  new Set(volumesIn(containers).map(({ name }) => name));

/** Every volume of these containers once, by name and content: one that several mount stands in each of them. */
export function volumesOf(
  containers: readonly ArtifactContainer[],
): ReadonlyMap<string, ArtifactContainer['volumes'][number]> {
  return new Map(
    volumesIn(containers).map((volume) => [
      `${volume.name} ${volume.digest} ${volume.sizeBytes} ${volume.storedBytes}`,
      volume,
    ]),
  );
}

const factsShape = {
  contentUID: text,
  snapshot: z.object({ namespace: text, name: text, uid: text }),
  pod: z.object({ namespace: text, name: text, uid: text }),
  /** Informational; what is not known is absent. */
  node: z.object({
    name: text,
    architecture: text.optional(),
    kernelVersion: text.optional(),
    cpu: text.optional(),
  }),
  network: z.object({ hostname: text.optional(), podIPs: z.array(text).max(64) }),
  options: z.record(z.string().max(253), z.union([text, z.number(), z.boolean()])),
} as const;

export const artifactConfigSchema = z.object({
  formatVersion: z.literal(formatVersion),
  ...factsShape,
  containers: z
    .array(containerSchema)
    .min(1)
    .max(16)
    .refine(
      (all) => new Set(all.map((container) => container.name)).size === all.length,
      'container names must be unique',
    )
    .refine(
      (all) => volumesOf(all).size === namesOfVolumes(all).size,
      'a volume of two containers must be the same in both',
    ),
  /** From the first stop of a container to the last thaw. */
  freezeMilliseconds: z.number().min(0).optional(),
  /** Of all layers together: before, and after compression and with each blob counted once. */
  totals: z.object({ sizeBytes: bytes, storedBytes: bytes }),
});
/** What an artifact says about itself, and where each of its bytes is. */
export type ArtifactConfig = z.infer<typeof artifactConfigSchema>;

const factsSchema = z.object({
  ...factsShape,
  containers: z.array(z.object({ name: label, image: text, imageID: text, limits: textMap })),
});
/**
 * What the order knows and the dump does not. Everything in it must be the same when a publish is taken up again (no time of day, no attempt):
 * the manifest's digest depends on it.
 */
export type ArtifactFacts = z.infer<typeof factsSchema>;

/** Raw JSON to config; throws ArtifactCorrupt naming the fields. */
export function parseConfig(raw: unknown): ArtifactConfig {
  const version = z.object({ formatVersion: z.unknown() }).safeParse(raw);
  if (version.success && version.data.formatVersion !== formatVersion) {
    const found = JSON.stringify(version.data.formatVersion);
    throw corruptArtifact(`format version ${found} is unknown; this agent reads ${formatVersion}`);
  }
  const parsed = artifactConfigSchema.safeParse(raw);
  if (!parsed.success) throw corruptArtifact(`its config: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** The failure for an artifact whose parts contradict each other or what this version knows. */
export const corruptArtifact = (why: string): Failure =>
  new Failure('terminal', 'ArtifactCorrupt', `the artifact is damaged: ${why}`);
