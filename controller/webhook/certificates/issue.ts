import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { BitString, Integer, OctetString, Utf8String } from 'asn1js';
import {
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  GeneralName,
  GeneralNames,
} from 'pkijs';

/** A certificate and its private key, PEM. */
export type KeyPair = { readonly certificate: string; readonly key: string };

/** How long a certificate is valid, in milliseconds since the epoch. */
export type Validity = { readonly from: number; readonly until: number };

const oids = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
} as const;
/** Bits of keyUsage (RFC 5280, 4.2.1.3) and how many of the last byte are unused. */
const keyUsages = {
  authority: { bits: 0b0000_0110, unused: 1 },
  server: { bits: 0b1000_0000, unused: 7 },
} as const;
/** The kind of a GeneralName that is a DNS name (RFC 5280, 4.2.1.6). */
const dnsName = 2;
const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** A new authority: a self-signed certificate that may sign those of servers, and no other authority's. */
export async function issueAuthority(name: string, validity: Validity): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await unsigned(keys, name, name, validity);
  const limits = new BasicConstraints({ cA: true, pathLenConstraint: 0 });
  certificate.extensions = [
    extension(oids.basicConstraints, true, limits.toSchema().toBER()),
    keyUsage('authority'),
    extension(oids.subjectKeyIdentifier, false, octets(await identifierOf(keys.publicKey)).toBER()),
  ];
  await certificate.sign(keys.privateKey, 'SHA-256');
  return encoded(certificate, keys);
}

/** A new certificate for a server that is called by one of the names, signed by the authority. */
export async function issueServer(
  authority: KeyPair,
  names: readonly string[],
  validity: Validity,
): Promise<KeyPair> {
  const keys = await generateKeys();
  const issuer = new X509Certificate(authority.certificate);
  const issuerName = issuer.subject.replace(/^CN=/, '');
  const certificate = await unsigned(keys, issuerName, names[0] ?? '', validity);
  const issuerKey = issuer.publicKey.export({ type: 'spki', format: 'der' });
  const signedWith = new AuthorityKeyIdentifier({ keyIdentifier: octets(identifier(issuerKey)) });
  const alternatives = names.map((value) => new GeneralName({ type: dnsName, value }));
  const usage = new ExtKeyUsage({ keyPurposes: [oids.serverAuthentication] });
  const called = new GeneralNames({ names: alternatives });
  certificate.extensions = [
    extension(oids.basicConstraints, true, new BasicConstraints({}).toSchema().toBER()),
    keyUsage('server'),
    extension(oids.authorityKeyIdentifier, false, signedWith.toSchema().toBER()),
    extension(oids.extendedKeyUsage, false, usage.toSchema().toBER()),
    extension(oids.subjectAlternativeName, false, called.toSchema().toBER()),
  ];
  const der = Buffer.from(authority.key.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const signer = await webcrypto.subtle.importKey('pkcs8', der, curve, false, ['sign']);
  await certificate.sign(signer, 'SHA-256');
  return encoded(certificate, keys);
}

const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(curve, true, ['sign', 'verify']);

async function unsigned(
  keys: webcrypto.CryptoKeyPair,
  issuer: string,
  subject: string,
  { from, until }: Validity,
): Promise<Certificate> {
  const certificate = new Certificate();
  certificate.version = 2; // X.509 v3
  // Unpredictable, positive, and not longer than the 20 bytes of RFC 5280.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  certificate.serialNumber = new Integer({ valueHex: new Uint8Array(serial).buffer });
  certificate.issuer.typesAndValues.push(named(issuer));
  certificate.subject.typesAndValues.push(named(subject));
  certificate.notBefore.value = new Date(from);
  certificate.notAfter.value = new Date(until);
  await certificate.subjectPublicKeyInfo.importKey(keys.publicKey);
  return certificate;
}

const named = (value: string): AttributeTypeAndValue =>
  new AttributeTypeAndValue({ type: oids.commonName, value: new Utf8String({ value }) });

const octets = (bytes: Uint8Array): OctetString => new OctetString({ valueHex: bytes });

const extension = (extnID: string, critical: boolean, value: ArrayBuffer): Extension =>
  new Extension({ extnID, critical, extnValue: value });

/** Tells authorities apart while two are trusted (RFC 7093, method 4). */
const identifier = (subjectPublicKeyInfo: Buffer): Uint8Array =>
  createHash('sha256').update(subjectPublicKeyInfo).digest().subarray(0, 20);

const identifierOf = async (key: webcrypto.CryptoKey): Promise<Uint8Array> =>
  identifier(Buffer.from(await webcrypto.subtle.exportKey('spki', key)));

function keyUsage(of: keyof typeof keyUsages): Extension {
  const { bits, unused } = keyUsages[of];
  const value = new BitString({ valueHex: new Uint8Array([bits]).buffer, unusedBits: unused });
  return extension(oids.keyUsage, true, value.toBER());
}

async function encoded(certificate: Certificate, keys: webcrypto.CryptoKeyPair): Promise<KeyPair> {
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: new X509Certificate(Buffer.from(certificate.toSchema(true).toBER())).toString(),
    key: pem('PRIVATE KEY', Buffer.from(key)),
  };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
