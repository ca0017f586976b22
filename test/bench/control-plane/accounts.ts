import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kind } from '../../../core/api/kinds.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { systemNamespace } from '../../../core/api/names.ts';
import { type ConnectedKube, connectKube } from '../../../runtime/kube.ts';
import { identityOf, recordAt, textAt } from '../../../runtime/raw-object.ts';
import type { Bed } from '../../bed/bed.ts';
import { hubAddress } from '../../bed/network.ts';

const never = new AbortController().signal;
const requestTimeoutMilliseconds = 30_000;

/** Connects as the holder of a kubeconfig. */
export const connect = (kubeconfigPath: string): Promise<ConnectedKube> =>
  connectKube({ kubeconfigPath, requestTimeoutMilliseconds, userAgent: 'cryopod-bench/0' });

const tokenKind = (account: string): Kind => ({
  group: '',
  version: 'v1',
  kind: 'TokenRequest',
  plural: `serviceaccounts/${account}/token`,
  namespaced: true,
});

/** How a process reaches the API server: by the bed's forwarder, or directly when it runs in the hub's network namespace. */
export type Reach = 'forwarder' | 'hub';

/** Makes kubeconfigs with tokens of the project's own service accounts, as the kubelet would give them to pods. */
export class Accounts {
  readonly #bed: Bed;
  readonly #admin: ConnectedKube;
  readonly #directory: string;

  constructor(bed: Bed, admin: ConnectedKube, directory: string) {
    this.#bed = bed;
    this.#admin = admin;
    this.#directory = directory;
  }

  /** The controller's: a kubeconfig for what is written in its name, and the directory that the kubelet would mount into its pod. */
  async controller(): Promise<{ readonly kubeconfigPath: string; readonly mounted: string }> {
    const account = 'cryopod-controller';
    const mounted = join(this.#directory, 'controller-account');
    await mkdir(mounted, { mode: 0o700 });
    await copyFile(this.#bed.caPath, join(mounted, 'ca.crt'));
    await writeFile(join(mounted, 'token'), await this.#token(account, {}), { mode: 0o600 });
    return {
      kubeconfigPath: await this.#kubeconfig('controller', account, {}, 'forwarder'),
      mounted,
    };
  }

  /** An agent's: its token is bound to a pod on the node, which the admission policies ask for. */
  async agent(nodeName: string): Promise<Readonly<Record<Reach, string>>> {
    const name = `cryopod-agent-${nodeName}`;
    const pod = await this.#admin.create(
      kinds.pod,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: systemNamespace },
        spec: {
          nodeName,
          serviceAccountName: 'cryopod-agent',
          containers: [{ name: 'agent', image: 'cryopod.dev/agent:dev' }],
        },
      },
      { dryRun: false },
      never,
    );
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid: identityOf(pod).uid };
    const files = (['forwarder', 'hub'] as const).map((reach) =>
      this.#kubeconfig(`${name}-${reach}`, 'cryopod-agent', { boundObjectRef }, reach),
    );
    const [forwarder = '', hub = ''] = await Promise.all(files);
    return { forwarder, hub };
  }

  async #token(account: string, bound: object): Promise<string> {
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { namespace: systemNamespace },
      spec: { expirationSeconds: 7200, ...bound },
    };
    const answer = await this.#admin.create(tokenKind(account), request, { dryRun: false }, never);
    return textAt(recordAt(answer, 'status'), 'token');
  }

  async #kubeconfig(name: string, account: string, bound: object, reach: Reach): Promise<string> {
    const token = await this.#token(account, bound);
    const authority = (await readFile(this.#bed.caPath)).toString('base64');
    const server = reach === 'hub' ? `https://${hubAddress}:443` : this.#bed.server;
    const path = join(this.#directory, name);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'bed', cluster: { server, 'certificate-authority-data': authority } }],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'user' } }],
      'current-context': 'bed',
    };
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }
}
