import * as z from 'zod';
import { isDigest } from '../store/digest.ts';
import type { Digest } from '../store/store.ts';
import { type ArtifactConfig, type Chunk, corruptArtifact, type TarBlob } from './config.ts';
import { mediaTypes } from './media-types.ts';

const digest = z.string().refine(isDigest, 'must be sha256:<64 hex digits>');
const descriptorSchema = z.object({
  mediaType: z.string().max(255),
  digest,
  size: z.number().int().min(0),
});
/** An OCI descriptor. `size`: of the stored bytes. */
export type Descriptor = z.infer<typeof descriptorSchema>;

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaTypes.manifest),
  artifactType: z.literal(mediaTypes.artifact),
  config: descriptorSchema.extend({ mediaType: z.literal(mediaTypes.config) }),
  layers: z.array(descriptorSchema).max(1_000_000),
});
/** The OCI image manifest of an artifact; its digest is the snapshot's identity. */
export type Manifest = z.infer<typeof manifestSchema>;

/** Raw JSON to manifest; throws ArtifactCorrupt naming the fields. */
export function parseManifest(raw: unknown): Manifest {
  const parsed = manifestSchema.safeParse(raw);
  if (!parsed.success) throw corruptArtifact(`its manifest: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

const tarLayer = (mediaType: string, blob: TarBlob): Descriptor => ({
  mediaType,
  digest: blob.digest,
  size: blob.storedBytes,
});

const chunkLayers = (chunk: Chunk): readonly Descriptor[] =>
  chunk.encoding === 'zero'
    ? []
    : [
        {
          mediaType: chunk.encoding === 'zstd' ? mediaTypes.memoryZstd : mediaTypes.memory,
          digest: chunk.digest,
          size: chunk.storedBytes,
        },
      ];

/** The layers that a config's containers imply, each blob once, in the order of the config. */
export function layersOf(containers: ArtifactConfig['containers']): readonly Descriptor[] {
  const layers = containers.flatMap((container) => [
    tarLayer(mediaTypes.criu, container.criu),
    ...container.memory.flatMap((file) => file.chunks.flatMap(chunkLayers)),
    tarLayer(mediaTypes.files, container.rootfs),
    ...container.volumes.map((volume) => tarLayer(mediaTypes.files, volume)),
  ]);
  return [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
}

/** The manifest of a config whose bytes are known. */
export function manifestOf(
  config: ArtifactConfig,
  configBytes: { readonly digest: Digest; readonly size: number },
): Manifest {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: mediaTypes.artifact,
    config: { mediaType: mediaTypes.config, ...configBytes },
    layers: [...layersOf(config.containers)],
  };
}

/** Throws ArtifactCorrupt unless the manifest lists exactly the layers its config speaks of. */
export function checkLayers(manifest: Manifest, config: ArtifactConfig): void {
  const implied = layersOf(config.containers);
  const same =
    implied.length === manifest.layers.length &&
    implied.every((layer, index) => {
      const listed = manifest.layers[index];
      return (
        listed?.digest === layer.digest &&
        listed.size === layer.size &&
        listed.mediaType === layer.mediaType
      );
    });
  if (!same) throw corruptArtifact('its manifest and its config name different layers');
}

/** Every blob of an artifact but the manifest itself. */
export const blobsOf = (manifest: Manifest): readonly Descriptor[] => [
  manifest.config,
  ...manifest.layers,
];
