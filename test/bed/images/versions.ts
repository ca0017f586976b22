/** What the base images are made of; a change here rebuilds every image. */

/** Debian suite of all images; its name is part of the base images' tags. */
export const debianSuite = 'trixie';

/** Base images as the Dockerfiles name them. */
export const debianImage = 'docker.io/library/debian:trixie-slim';
export const nodeImage = 'docker.io/library/node:24-trixie-slim';

/** npm of the node base image, with the integrity that the registry published for it. */
export const npmPackage = {
  version: '11.21.2',
  integrity:
    'sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A==',
} as const;

/** Raised when this folder changes how base images or archives are made, so that those made the old way are not reused. */
export const baseRevision = 1;
export const archiveRevision = 2;
