/** Media types of the artifact; docs/artifact-format.md explains each. */
export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  artifact: 'application/vnd.cryopod.checkpoint.v1',
  config: 'application/vnd.cryopod.checkpoint.config.v1+json',
  criu: 'application/vnd.cryopod.checkpoint.criu.v1.tar+zstd',
  memory: 'application/vnd.cryopod.checkpoint.memory.v1',
  memoryZstd: 'application/vnd.cryopod.checkpoint.memory.v1+zstd',
  /** Writable layer and volumes: what every OCI tool knows. */
  files: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;
