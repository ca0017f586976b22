import { readFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import path from 'node:path';
import type { Clock } from '../core/clock.ts';
import { errorText, Failure } from '../core/failure.ts';
import type { ServerAccess } from './http-exchange.ts';

/** Where the kubelet puts a pod's service account. */
export const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The kubelet replaces token and authority on disk long before they expire; client-go looks as often. */
const freshMilliseconds = 60_000;

type Material = { readonly ca: string; readonly headers: { readonly Authorization: string } };

/** The API server as a pod finds it; undefined outside of one. `environment`: the process's. */
export function serverOfPod(
  environment: Readonly<Record<string, string | undefined>>,
): URL | undefined {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  if (host === '') return undefined;
  return new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`);
}

/** Access with the service account in `directory`, read anew about once a minute. */
export function serviceAccountAccess(server: URL, directory: string, clock: Clock): ServerAccess {
  let known: { readonly material: Material; readonly atMonotonic: number } | undefined;
  const read = async (file: string): Promise<string> => {
    try {
      return (await readFile(path.join(directory, file), 'utf8')).trim();
    } catch (error) {
      // A volume that is being replaced has it again in a moment.
      throw new Failure('retry', 'NoServiceAccount', errorText(error), { cause: error });
    }
  };
  return {
    server,
    options: async () => {
      const now = clock.monotonicMilliseconds();
      if (known === undefined || now - known.atMonotonic >= freshMilliseconds) {
        const [ca, token] = await Promise.all([read('ca.crt'), read('token')]);
        known = {
          material: { ca, headers: { Authorization: `Bearer ${token}` } },
          atMonotonic: now,
        };
      }
      return { ...known.material, headers: { ...known.material.headers } };
    },
  };
}
