import { join } from 'node:path';

/** Text of a kubeconfig (JSON, which is YAML) for the key pair `user` in `pkiDirectory`. */
export function kubeconfig(server: string, pkiDirectory: string, user: string): string {
  const file = (name: string) => join(pkiDirectory, name);
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bed', cluster: { server, 'certificate-authority': file('ca.crt') } }],
    users: [
      {
        name: user,
        user: { 'client-certificate': file(`${user}.crt`), 'client-key': file(`${user}.key`) },
      },
    ],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user } }],
    'current-context': 'bed',
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
