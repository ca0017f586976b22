import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { bedPaths } from './paths.ts';
import { until } from './until.ts';

/** Status and text of an answer. */
type Answer = { readonly status: number; readonly body: string };

/** Answer of the API server to a GET as administrator. Rejects when nobody answers within 2 s. */
export async function apiGet(bed: string, port: number, path: string): Promise<Answer> {
  const pki = bedPaths(bed).pkiDirectory;
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(pki, file))),
  );
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = request({
    host: '127.0.0.1',
    port,
    path,
    ca,
    cert,
    key,
    agent: false,
    timeout: 2_000,
  });
  call.on('timeout', () => call.destroy(new Error(`no answer to ${path} within 2 s`)));
  call.on('error', reject);
  call.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      body += chunk;
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    response.on('error', reject);
  });
  call.end();
  return promise;
}

/** Whether the API server of the bed says it is ready. */
export async function isApiReady(bed: string, port: number): Promise<boolean> {
  try {
    return (await apiGet(bed, port, '/readyz')).status === 200;
  } catch {
    return false; // not listening yet, or no longer
  }
}

/** Waits for the API server to be ready; `alive` ends the wait at once when the process died. */
export async function awaitApi(bed: string, port: number, alive: () => boolean): Promise<void> {
  const log = join(bedPaths(bed).logDirectory, 'apiserver.log');
  const outcome = await until(
    () => `the API server of bed ${bed} (see ${log})`,
    async () => {
      if (await isApiReady(bed, port)) return 'ready';
      return alive() ? undefined : 'dead';
    },
    60_000,
  );
  if (outcome === 'dead') {
    const tail = (await readFile(log, 'utf8')).trim().split('\n').slice(-8).join('\n');
    throw new Error(`the API server of bed ${bed} ended while starting:\n${tail}`);
  }
}
