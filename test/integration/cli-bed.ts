import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { kinds } from '../../core/api/kinds.ts';
import type { Bed } from '../bed/bed.ts';
import { runCliInProcess } from '../support/run-cli.ts';
import { type DefinitionsBed, openDefinitionsBed } from './definitions-bed.ts';

const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** A real API server that serves our kinds and has a pod `web`, the command line before it, and hands that write statuses as the controller would. */
export type CliBed = DefinitionsBed & {
  /** The command line within this process, as administrator. */
  readonly run: (...words: readonly string[]) => ReturnType<typeof runCliInProcess>;
  /** The same as a process of its own; `says` waits until it has said something on standard error. */
  readonly start: (words: readonly string[]) => {
    readonly ran: ReturnType<typeof startProcess>;
    readonly says: (what: string) => Promise<true>;
  };
  readonly kubeconfigPath: string;
  /** Merges into the status of `KIND/NAME`. */
  readonly status: (of: string, status: object) => Promise<void>;
  /** Waits until `KIND/NAME` is there and returns it. */
  readonly appears: (of: string) => Promise<Appeared>;
};

type Appeared = {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly finalizers?: readonly string[];
  };
  readonly spec: Readonly<Record<string, unknown>>;
};

const startProcess = (words: readonly string[], kubeconfigPath: string) =>
  execa(process.execPath, [program, ...words], {
    env: { KUBECONFIG: kubeconfigPath },
    stdin: 'ignore',
    reject: false,
  });

/** Brings it up under a name of the test's own. The kubeconfig has a user without rights and a cluster that is not there. */
export async function openCliBed(bedName: string): Promise<CliBed> {
  const definitions = await openDefinitionsBed(bedName);
  const { bed } = definitions;
  const kubeconfigPath = join(bed.directory, 'cli.kubeconfig');
  await writeFile(kubeconfigPath, kubeconfigOf(bed));
  await bed.waitFor(
    'podrestores to be served',
    () => bed.kubectl(['get', kinds.podRestore.plural]).catch(() => undefined),
    20_000,
  );
  await bed.kubectl(['create', 'serviceaccount', 'default']).catch(() => '');
  await bed.apply(
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' } },
      spec: {
        containers: [
          { name: 'main', image: 'a:b' },
          { name: 'side', image: 'a:b' },
        ],
      },
    }),
  );
  return {
    ...definitions,
    run: (...words) => runCliInProcess([...words, '--kubeconfig', kubeconfigPath]),
    kubeconfigPath,
    start: (words) => {
      const ran = startProcess(words, kubeconfigPath);
      let said = '';
      ran.stderr.on('data', (chunk: unknown) => {
        said += String(chunk);
      });
      const says = (what: string): Promise<true> =>
        bed.waitFor(
          `the program to say '${what}'`,
          async () => said.includes(what) || undefined,
          20_000,
        );
      return { ran, says };
    },
    status: async (of, status) => {
      await definitions.patch([of, '--subresource=status'], { status });
    },
    appears: (of) =>
      bed.waitFor(
        `${of} to be there`,
        async () => {
          const text = await bed.kubectl(['get', of, '-o', 'json']).catch(() => '');
          return text === '' ? undefined : JSON.parse(text);
        },
        20_000,
      ),
  };
}

function kubeconfigOf({ server, caPath, directory }: Bed): string {
  const user = (name: string) => ({
    name,
    user: {
      'client-certificate': join(directory, `pki/${name}.crt`),
      'client-key': join(directory, `pki/${name}.key`),
    },
  });
  const cluster = (name: string, address: string) => ({
    name,
    cluster: { server: address, 'certificate-authority': caPath },
  });
  return JSON.stringify({
    clusters: [cluster('bed', server), cluster('nowhere', 'https://127.0.0.1:9')],
    users: [user('admin'), user('scheduler')],
    contexts: [
      { name: 'bed', context: { cluster: 'bed', user: 'admin' } },
      { name: 'elsewhere', context: { cluster: 'bed', user: 'admin', namespace: 'kube-public' } },
    ],
    'current-context': 'bed',
  });
}
