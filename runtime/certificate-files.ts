import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { errorText, Failure } from '../core/failure.ts';
import type { Log } from './log.ts';

/** Where a server's certificate (with its chain) and private key are, PEM. */
export type CertificateFiles = { readonly certificatePath: string; readonly keyPath: string };

/** A certificate and its key, read and found to belong together. */
export type Certificate = { readonly cert: Buffer; readonly key: Buffer };

/** Files in a pod are swapped by a link, which no watch of a file sees; so they are looked at. */
const lookMilliseconds = 10_000;

/** Reads both; a `terminal` failure 'BadCertificate' names what is wrong. */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  try {
    const [cert, key] = await Promise.all([
      readFile(files.certificatePath),
      readFile(files.keyPath),
    ]);
    // Throws when they are no PEM, or not of each other.
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    const { certificatePath, keyPath } = files;
    const message = `certificate ${certificatePath} with key ${keyPath}: ${errorText(error)}`;
    throw new Failure('terminal', 'BadCertificate', message, { cause: error });
  }
}

/**
 * Looks at the files again and again and hands over a certificate that has changed; one that cannot be used is logged and the old one stays.
 * Returns what ends it.
 */
export function followCertificate(
  deps: { readonly clock: Clock; readonly log: Log },
  files: CertificateFiles,
  first: Certificate,
  changed: (certificate: Certificate) => void,
): () => void {
  let current = first;
  let ended = false;
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    try {
      const found = await readCertificate(files);
      const same = found.cert.equals(current.cert) && found.key.equals(current.key);
      if (!same && !ended) {
        current = found;
        changed(found);
        deps.log.info({ path: files.certificatePath }, 'the certificate was read again');
      }
    } catch (error) {
      deps.log.warn({ error: errorText(error) }, 'the certificate stays the old one');
    }
    if (!ended) later();
  };
  const later = (): void => {
    cancel = deps.clock.after(lookMilliseconds, () => void look());
  };
  later();
  return () => {
    ended = true;
    cancel();
  };
}
