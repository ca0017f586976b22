import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { apiServiceAddress, hubAddress } from './network.ts';

/** One certificate to make: file name without ending, subject fields, extensions of its own. */
type Request = {
  readonly file: string;
  readonly organization?: string;
  readonly commonName: string;
  readonly extensions: readonly string[];
};

const client = 'extendedKeyUsage = clientAuth';

const fixedRequests: readonly Request[] = [
  {
    file: 'apiserver',
    commonName: 'kube-apiserver',
    extensions: [
      'extendedKeyUsage = serverAuth',
      `subjectAltName = DNS:kubernetes.default.svc, DNS:localhost, IP:127.0.0.1, IP:${hubAddress}, IP:${apiServiceAddress}`,
    ],
  },
  { file: 'admin', organization: 'system:masters', commonName: 'admin', extensions: [client] },
  { file: 'kcm', commonName: 'system:kube-controller-manager', extensions: [client] },
  { file: 'scheduler', commonName: 'system:kube-scheduler', extensions: [client] },
  {
    file: 'apiserver-kubelet-client',
    organization: 'system:masters',
    commonName: 'kube-apiserver-kubelet-client',
    extensions: [client],
  },
];

const nodeRequest = (node: string, address: string): Request => ({
  file: node,
  organization: 'system:nodes',
  commonName: `system:node:${node}`,
  extensions: [
    'extendedKeyUsage = clientAuth, serverAuth',
    `subjectAltName = DNS:${node}, IP:${address}`,
  ],
});

/** A node that needs a certificate. */
export type NodeIdentity = { readonly name: string; readonly address: string };

/** Makes the bed's authority and every key pair signed by it, as FILE.crt and FILE.key. */
export async function createCertificates(
  directory: string,
  nodes: readonly NodeIdentity[],
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const tokens = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
  });
  await writeFile(join(directory, 'sa.key'), tokens.privateKey, { mode: 0o600 });
  await writeFile(join(directory, 'sa.pub'), tokens.publicKey);
  await sign(directory, {
    file: 'ca',
    commonName: 'cryopod-bed',
    extensions: [
      'basicConstraints = critical, CA:TRUE',
      'keyUsage = critical, keyCertSign, cRLSign, digitalSignature',
    ],
  });
  const requests = [...fixedRequests, ...nodes.map((it) => nodeRequest(it.name, it.address))];
  await Promise.all(requests.map((request) => sign(directory, request)));
}

async function sign(directory: string, request: Request): Promise<void> {
  const path = (ending: string) => join(directory, `${request.file}.${ending}`);
  const key = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(path('key'), key.privateKey, { mode: 0o600 });
  await writeFile(path('cnf'), configuration(request));
  const issuer =
    request.file === 'ca'
      ? []
      : ['-CA', join(directory, 'ca.crt'), '-CAkey', join(directory, 'ca.key')];
  await run([
    ...['openssl', 'req', '-x509', '-new', '-sha256', '-days', '3650'],
    ...['-config', path('cnf'), '-key', path('key'), '-out', path('crt')],
    ...issuer,
  ]);
}

function configuration(request: Request): string {
  return [
    '[req]',
    'prompt = no',
    'distinguished_name = subject',
    'x509_extensions = extensions',
    '[subject]',
    ...(request.organization === undefined ? [] : [`O = ${request.organization}`]),
    `CN = ${request.commonName}`,
    '[extensions]',
    ...request.extensions,
    '',
  ].join('\n');
}
