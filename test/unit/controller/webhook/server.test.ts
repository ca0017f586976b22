import { request } from 'node:https';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  issueAuthority,
  issueServer,
  type KeyPair,
} from '../../../../controller/webhook/certificates/issue.ts';
import { serveWebhook, type WebhookServer } from '../../../../controller/webhook/server.ts';

const names = ['webhook.test'];
const now = Date.now();
const validity = { from: now - 60_000, until: now + 3_600_000 };
let authority: KeyPair;
let server: WebhookServer;

beforeEach(async () => {
  authority = await issueAuthority('Tests', validity);
  const answer = async (body: string) => ({ code: 200, body: `heard ${body}` });
  server = await serveWebhook({ port: 0, path: '/mutate-pods', answer });
});
afterEach(() => server.close());

const call = (
  method: string,
  path: string,
  body: string,
  ca = authority.certificate,
): Promise<{ readonly code: number; readonly text: string }> =>
  new Promise((resolve, reject) => {
    const where = { host: '127.0.0.1', port: server.port, servername: 'webhook.test', ca };
    const sent = request({ ...where, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end(body);
  });

it('takes no connection before it has a certificate, and answers with one that its authority vouches for', async () => {
  await expect(call('POST', '/mutate-pods', 'x')).rejects.toThrow();
  server.useCertificate(await issueServer(authority, names, validity));
  expect(await call('POST', '/mutate-pods?timeout=5s', 'x')).toEqual({
    code: 200,
    text: 'heard x',
  });
});

it('serves a new certificate to whoever connects next', async () => {
  server.useCertificate(await issueServer(authority, names, validity));
  const next = await issueAuthority('Next', validity);
  await expect(call('POST', '/mutate-pods', 'x', next.certificate)).rejects.toThrow();
  server.useCertificate(await issueServer(next, names, validity));
  expect((await call('POST', '/mutate-pods', 'x', next.certificate)).code).toBe(200);
});

it('answers nothing but POSTs of a bearable size to its one path', async () => {
  server.useCertificate(await issueServer(authority, names, validity));
  expect((await call('GET', '/mutate-pods', '')).code).toBe(405);
  expect((await call('POST', '/metrics', '')).code).toBe(404);
  const long = 'x'.repeat(8 * 1024 * 1024 + 1);
  // The answer may be overtaken by the end of the connection.
  const answered = await call('POST', '/mutate-pods', long).catch(() => ({ code: 413 }));
  expect(answered.code).toBe(413);
});
