import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { errorText } from '../../core/failure.ts';
import type { HttpReply } from './admit.ts';
import type { KeyPair } from './certificates/issue.ts';

export type WebhookServerOptions = {
  /** 0 for any free one. */
  readonly port: number;
  readonly path: string;
  readonly answer: (body: string) => Promise<HttpReply>;
};

/** The webhook's own HTTPS port. */
export type WebhookServer = {
  readonly port: number;
  /** For connections from now on. Before the first one no connection comes about. */
  readonly useCertificate: (server: KeyPair) => void;
  readonly close: () => Promise<void>;
};

/** An object of etcd has 1.5 MiB at most; with escapes and everything around it. */
const longestBody = 8 * 1024 * 1024;
const patienceMilliseconds = 10_000;
/** Longer than API servers keep an idle connection (90 s), so that it is never closed in the moment in which one is used again. */
const idleMilliseconds = 120_000;

/** Answers POSTs to one path; rejects when the port is taken. */
export function serveWebhook(options: WebhookServerOptions): Promise<WebhookServer> {
  const server = createServer({ handshakeTimeout: patienceMilliseconds }, (request, response) => {
    reply(options, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`${errorText(error)}\n`);
    });
  });
  server.requestTimeout = patienceMilliseconds;
  server.keepAliveTimeout = idleMilliseconds;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        useCertificate: ({ certificate, key }) =>
          server.setSecureContext({ cert: certificate, key }),
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function reply(
  { answer, path }: WebhookServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if ((request.url ?? '').split('?')[0] !== path) {
    return void response.writeHead(404).end('not found\n');
  }
  if (request.method !== 'POST') {
    return void response.writeHead(405, { allow: 'POST' }).end('only POST\n');
  }
  const body = await bodyOf(request);
  if (body === undefined)
    return void response.writeHead(413, { connection: 'close' }).end('too long\n');
  const { body: text, code } = await answer(body);
  response.writeHead(code, { 'content-type': 'application/json' }).end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    const bytes = Buffer.from(piece);
    length += bytes.length;
    if (length > longestBody) return undefined;
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString();
}
