import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downBed } from '../bed/bed.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from './controller-world.ts';

const bedName = 'secure-serving';
const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
let world: ControllerWorld;
let controller: ControllerProcess;
let directory: string;
let ports: readonly number[];
const tokens = new Map<string, string>();

const at = (file: string): string => join(directory, file);

/** A self-signed certificate for a name, in the files that the controller reads. */
async function certificateFor(name: string): Promise<void> {
  const files = ['-keyout', at('next.key'), '-out', at('next.crt')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await execa('openssl', ['req', ...kind, ...files, '-days', '2', '-subj', `/CN=${name}`]);
  // Not in one step: between the two the certificate and the key are not of each other.
  await execa('cp', [at('next.crt'), at('tls.crt')]);
  await execa('cp', [at('next.key'), at('tls.key')]);
}

type Answer = { readonly code: number; readonly body: string; readonly servedAs: string };

const get = (port: number, path: string, token?: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = { host: '127.0.0.1', port, path, headers, agent: false };
    const sent = request({ ...options, rejectUnauthorized: false }, (response) => {
      const servedAs = String((response.socket as TLSSocket).getPeerCertificate().subject?.CN);
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        body += piece;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body, servedAs }));
    });
    sent.on('error', reject).end();
  });
const metrics = (token?: string): Promise<Answer> => get(ports[1] ?? 0, '/metrics', token);

beforeAll(async () => {
  world = await controllerWorld(bedName);
  await world.bed.kubectl(['apply', '-f', join(deploy, 'secure-metrics', 'rbac.yaml')]);
  for (const name of ['prometheus', 'stranger']) {
    await world.bed.kubectl(['create', 'serviceaccount', name]);
    tokens.set(name, (await world.bed.kubectl(['create', 'token', name])).trim());
  }
  const binding = ['create', 'clusterrolebinding', 'prometheus-cryopod'];
  const subject = ['--clusterrole=cryopod-metrics-reader', '--serviceaccount=default:prometheus'];
  await world.bed.kubectl([...binding, ...subject]);
  directory = await mkdtemp(join(tmpdir(), 'secure-serving-'));
  await certificateFor('first.test');
  controller = world.start('controller-a', {
    CRYOPOD_TLS_CERTIFICATE: at('tls.crt'),
    CRYOPOD_TLS_KEY: at('tls.key'),
    CRYOPOD_AUTHENTICATION: 'metrics',
  });
  ports = await world.until('the controller to serve', async () => {
    const line = controller
      .log()
      .split('\n')
      .find((one) => one.includes('"msg":"started"'));
    return line === undefined ? undefined : JSON.parse(line).ports;
  });
});
afterAll(async () => {
  await controller.stop('SIGTERM');
  await world.close();
  await rm(directory, { recursive: true, force: true });
  await downBed(bedName);
});

describe('/metrics over TLS', () => {
  it('is 401 without a token, and with one that the API server does not know', async () => {
    expect((await metrics()).code).toBe(401);
    expect((await metrics('made-up')).code).toBe(401);
  });

  it('is 403 with the token of somebody who may not get it, and names them', async () => {
    const answer = await metrics(tokens.get('stranger'));
    expect(answer.code).toBe(403);
    expect(answer.body).toContain('system:serviceaccount:default:stranger may not get /metrics');
  });

  it('is 200 with the token of somebody who may', async () => {
    for (let times = 0; times < 3; times += 1) {
      const answer = await metrics(tokens.get('prometheus'));
      expect(answer.code).toBe(200);
      expect(answer.body).toContain('cryopod_reflector_objects{kind="PodSnapshot"}');
    }
  });

  it('is not spoken in plain HTTP', async () => {
    await expect(fetch(`http://127.0.0.1:${ports[1]}/metrics`)).rejects.toThrow();
  });

  it('is served with the new certificate when the files change, and with the old one while they are broken', async () => {
    expect((await metrics()).servedAs).toBe('first.test');
    await writeFile(at('tls.crt'), 'no certificate');
    await world.until('the trouble to be logged', async () =>
      controller.log().includes('the certificate stays the old one') ? true : undefined,
    );
    expect((await metrics()).servedAs).toBe('first.test');
    await certificateFor('second.test');
    await world.until('the new certificate', async () =>
      (await metrics()).servedAs === 'second.test' ? true : undefined,
    );
    expect((await get(ports[0] ?? 0, '/healthz')).servedAs).toBe('second.test');
  });
});

describe('the probes', () => {
  it('are served over TLS and need no token, as the kubelet has none', async () => {
    const ready = (): Promise<Answer> => get(ports[0] ?? 0, '/readyz');
    await world.until('it to be ready', async () =>
      (await ready()).code === 200 ? true : undefined,
    );
    expect((await get(ports[0] ?? 0, '/healthz')).code).toBe(200);
  });

  it('need one too where all pages do', async () => {
    const strict = world.start('controller-b', {
      CRYOPOD_TLS_CERTIFICATE: at('tls.crt'),
      CRYOPOD_TLS_KEY: at('tls.key'),
      CRYOPOD_AUTHENTICATION: 'all',
    });
    const [port = 0] = await world.until<readonly number[]>('it to serve', async () => {
      const line = strict
        .log()
        .split('\n')
        .find((one) => one.includes('"msg":"started"'));
      return line === undefined ? undefined : JSON.parse(line).ports;
    });
    expect((await get(port, '/healthz')).code).toBe(401);
    expect((await get(port, '/healthz', 'made-up')).code).toBe(401);
    // Every account may, by the role system:public-info-viewer, as with the API server's own.
    expect((await get(port, '/healthz', tokens.get('stranger'))).code).toBe(200);
    await strict.stop('SIGTERM');
  });
});

it('the component builds on the base and reaches both pods', async () => {
  const overlay = at('overlay');
  await execa('mkdir', [overlay]);
  await execa('cp', ['-r', deploy, join(directory, 'deploy')]);
  await execa('cp', ['-r', join(deploy, '..', 'crds'), join(directory, 'crds')]);
  const parts = 'resources: [../deploy]\ncomponents: [../deploy/secure-metrics]\n';
  await writeFile(join(overlay, 'kustomization.yaml'), parts);
  const built = await world.bed.kubectl(['kustomize', overlay]);
  expect(built.match(/secretName: cryopod-serving-certificate/g)).toHaveLength(2);
  expect(built.match(/scheme: HTTPS/g)).toHaveLength(4);
  expect(built.match(/name: CRYOPOD_AUTHENTICATION/g)).toHaveLength(2);
});
