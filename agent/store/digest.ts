import { createHash, hash } from 'node:crypto';
import { Transform } from 'node:stream';
import { Failure } from '../../core/failure.ts';
import type { Digest } from './store.ts';

const digestForm = /^sha256:[0-9a-f]{64}$/;

/** True for `sha256:` and 64 lower-case hex digits; nothing else ever becomes part of a path. */
export function isDigest(text: string): text is Digest {
  return digestForm.test(text);
}

/** The 64 hex digits, for file names. Throws on anything that is not a digest, whatever its static type claims. */
export function digestHex(digest: Digest): string {
  if (!isDigest(digest)) {
    throw new Failure('terminal', 'ArtifactCorrupt', `${JSON.stringify(digest)} is not a digest`);
  }
  return digest.slice('sha256:'.length);
}

/** SHA-256 of bytes in memory. */
export const digestOf = (bytes: Uint8Array): Digest => `sha256:${hash('sha256', bytes, 'hex')}`;

const justDigested = new WeakMap<Uint8Array, Digest>();

/**
 * SHA-256 of bytes that go into a store next: the store believes this digest, once, instead of computing it a second time, which would cost a
 * publish a third of its speed. The bytes must not change until the put has ended.
 */
export function digestForPut(bytes: Uint8Array): Digest {
  const digest = digestOf(bytes);
  justDigested.set(bytes, digest);
  return digest;
}

/** The same for a digest that a thread of this process has just computed. */
export function trustForPut(bytes: Uint8Array, digest: Digest): void {
  justDigested.set(bytes, digest);
}

/** The failure for bytes that are not what their name says. */
export const corruptBlob = (digest: Digest, why: string): Failure =>
  new Failure('terminal', 'ArtifactCorrupt', `blob ${digest} is damaged: ${why}`);

/** The failure for a blob that the store said it does not have. */
export const missingBlob = (digest: Digest): Failure =>
  new Failure('gone', 'ArtifactLost', `blob ${digest} is not in the store`);

/** Throws ArtifactCorrupt unless the bytes have the size and digest announced. */
export function verifyBytes(bytes: Uint8Array, digest: Digest, sizeBytes: number): void {
  if (bytes.byteLength !== sizeBytes) {
    throw corruptBlob(digest, `${bytes.byteLength} bytes instead of ${sizeBytes}`);
  }
  const actual = justDigested.get(bytes) ?? digestOf(bytes);
  justDigested.delete(bytes);
  if (actual !== digest) throw corruptBlob(digest, `its bytes have the digest ${actual}`);
}

/** Passes bytes through; fails with ArtifactCorrupt as soon as there are more than announced, and at the end when size or digest differ. */
export function verifyingStream(digest: Digest, sizeBytes: number): Transform {
  const hasher = createHash('sha256');
  let seen = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      seen += chunk.byteLength;
      if (seen > sizeBytes) return done(corruptBlob(digest, `more than ${sizeBytes} bytes`));
      hasher.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (seen !== sizeBytes)
        return done(corruptBlob(digest, `${seen} bytes instead of ${sizeBytes}`));
      const actual = `sha256:${hasher.digest('hex')}`;
      done(actual === digest ? null : corruptBlob(digest, `its bytes have the digest ${actual}`));
    },
  });
}
