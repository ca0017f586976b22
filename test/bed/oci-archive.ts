import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { tarArchive } from './tar.ts';

/** An image of one layer. */
export type SimpleImage = {
  /** Complete name with registry and tag. */
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly command: readonly string[];
  /** Uncompressed tar of the file system. */
  readonly layer: Buffer;
};

const digestOf = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Bytes of an OCI archive (a tar of an OCI layout) holding the image; same image, same bytes. */
export function ociArchive(image: SimpleImage): Buffer {
  const layer = gzipSync(image.layer, { level: 1 });
  const config = bytes({
    architecture: image.architecture,
    os: 'linux',
    config: { Cmd: image.command, Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(image.layer)}`] },
  });
  const manifest = bytes({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layer)],
  });
  const index = bytes({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: {
          'io.containerd.image.name': image.name,
          'org.opencontainers.image.ref.name': image.name.slice(image.name.lastIndexOf(':') + 1),
        },
      },
    ],
  });
  const file = (path: string, data: Buffer) => ({ kind: 'file' as const, path, mode: 0o644, data });
  return tarArchive([
    file('oci-layout', bytes({ imageLayoutVersion: '1.0.0' })),
    file('index.json', index),
    ...[config, manifest, layer].map((blob) => file(`blobs/sha256/${digestOf(blob)}`, blob)),
  ]);
}

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const descriptor = (mediaType: string, data: Buffer) => ({
  mediaType,
  digest: `sha256:${digestOf(data)}`,
  size: data.length,
});
