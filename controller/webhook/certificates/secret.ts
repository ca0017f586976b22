import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { recordAt, textAt } from '../../../runtime/raw-object.ts';
import type { Observed, Term } from './decide.ts';
import type { KeyPair } from './issue.ts';

/** What the Secret holds, PEM. */
export type Held = {
  /** Oldest first. */
  readonly authorities: readonly string[];
  /** Private key of the last authority; '' without. */
  readonly authorityKey: string;
  readonly server: KeyPair;
};

/** Keys of the Secret: those of kubernetes.io/tls, and the authorities'. */
const fields = {
  authorities: 'ca.crt',
  authorityKey: 'ca.key',
  certificate: 'tls.crt',
  key: 'tls.key',
} as const;

/** Reads the Secret; what is missing is empty. */
export function heldIn(secret: RawObject): Held {
  const data = recordAt(secret, 'data');
  const text = (field: string): string => Buffer.from(textAt(data, field), 'base64').toString();
  return {
    authorities: certificatesIn(text(fields.authorities)),
    authorityKey: text(fields.authorityKey),
    server: { certificate: text(fields.certificate), key: text(fields.key) },
  };
}

/** The Secret's data for these. */
export function dataOf(held: Held): RawObject {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    [fields.authorities]: base64(bundleOf(held)),
    [fields.authorityKey]: base64(held.authorityKey),
    [fields.certificate]: base64(held.server.certificate),
    [fields.key]: base64(held.server.key),
  };
}

/** What API servers are told to trust, PEM. */
export const bundleOf = ({ authorities }: Pick<Held, 'authorities'>): string =>
  authorities.join('');

const certificatesIn = (bundle: string): readonly string[] =>
  [...bundle.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g)].map(
    ([text]) => text,
  );

const termOf = (certificate: X509Certificate): Term => ({
  from: certificate.validFromDate.getTime(),
  until: certificate.validToDate.getTime(),
});

/** What `read` returns, or undefined where PEM turns out to be none. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // Whatever is wrong with it, it is made anew.
    return undefined;
  }
}

const owns = (certificate: X509Certificate, key: string): boolean =>
  readable(() => certificate.checkPrivateKey(createPrivateKey(key))) ?? false;

/** From when until when a server certificate and its key can be used; undefined when they cannot, or not under every name. */
export function serverTerm(
  { certificate, key }: KeyPair,
  names: readonly string[],
): Term | undefined {
  const read = readable(() => new X509Certificate(certificate));
  if (read === undefined || !owns(read, key)) return undefined;
  return names.every((name) => read.checkHost(name) !== undefined) ? termOf(read) : undefined;
}

/** What a decision needs of them. An authority that cannot be read makes all of them worthless: nobody knows what API servers do with the rest. */
export function view(
  { authorities, authorityKey, server }: Held,
  names: readonly string[],
): Pick<Observed, 'authorities' | 'canSign' | 'server'> {
  const nothing = { authorities: [], canSign: false, server: undefined };
  const read = readable(() => authorities.map((text) => new X509Certificate(text)));
  const newest = read?.at(-1);
  if (read === undefined || newest === undefined) return nothing;
  const term = serverTerm(server, names);
  const leaf = term === undefined ? undefined : new X509Certificate(server.certificate);
  const authority = read.findIndex((one) => leaf?.checkIssued(one) && leaf.verify(one.publicKey));
  return {
    authorities: read.map(termOf),
    canSign: owns(newest, authorityKey),
    server: term === undefined || authority < 0 ? undefined : { ...term, authority },
  };
}
