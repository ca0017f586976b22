import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { errorText } from '../core/failure.ts';
import type { Guard } from './access-review.ts';
import type { Certificate } from './certificate-files.ts';

/** What is well, or the sentence that says what is not. */
export type Health = { readonly ok: true } | { readonly ok: false; readonly why: string };

export type HttpServerOptions = {
  /** '' for all addresses. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** A process that answers not ok is restarted: only for what a restart mends. Absent: no such page. */
  readonly alive?: () => Health;
  readonly ready?: () => Health;
  readonly metrics?: { readonly contentType: string; readonly metrics: () => Promise<string> };
  /** TLS with this certificate; plain HTTP without. */
  readonly certificate?: Certificate | undefined;
  /** Asked before every page. */
  readonly guard?: Guard | undefined;
};

export type RunningHttpServer = {
  readonly port: number;
  /** For connections from now on; a server without TLS takes none. */
  readonly useCertificate: (certificate: Certificate) => void;
  readonly close: () => Promise<void>;
};

/** A probe sends a short request and closes; whoever holds a connection open is none. */
const patienceMilliseconds = 5_000;

type Page = (response: ServerResponse) => void | Promise<void>;

/** GET /healthz, /readyz and /metrics, as far as given; rejects when the port is taken. */
export function serveHttp(options: HttpServerOptions): Promise<RunningHttpServer> {
  const pages = pagesOf(options);
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    // Wrapped, so that a page that throws before its first await is caught as well.
    const answering = async (): Promise<void> => answer(pages, options.guard, request, response);
    answering().catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`${errorText(error)}\n`);
    });
  };
  const { certificate } = options;
  const secure =
    certificate === undefined
      ? undefined
      : createSecureServer({ ...certificate, handshakeTimeout: patienceMilliseconds }, listener);
  const server = secure ?? createServer(listener);
  server.requestTimeout = patienceMilliseconds;
  server.keepAliveTimeout = patienceMilliseconds;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host === '' ? undefined : options.host, () => {
      resolve({
        port: portOf(server.address()),
        useCertificate: (next) => secure?.setSecureContext(next),
        close: () => closed(server),
      });
    });
  });
}

function pagesOf({ alive, ready, metrics }: HttpServerOptions): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  if (alive !== undefined) pages.set('/healthz', (response) => answerHealth(response, alive));
  if (ready !== undefined) pages.set('/readyz', (response) => answerHealth(response, ready));
  if (metrics !== undefined) {
    pages.set('/metrics', async (response) => {
      const text = await metrics.metrics();
      response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
    });
  }
  return pages;
}

async function answer(
  pages: ReadonlyMap<string, Page>,
  guard: Guard | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const page = pages.get(path);
  if (page === undefined) return void response.writeHead(404).end('not found\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return void response.writeHead(405, { allow: 'GET, HEAD' }).end('only GET\n');
  }
  const access = await guard?.(path, request.headers.authorization);
  if (access !== undefined && !access.allowed) {
    const headers = access.code === 401 ? { 'www-authenticate': 'Bearer' } : {};
    return void response.writeHead(access.code, headers).end(`${access.why}\n`);
  }
  await page(response);
}

function answerHealth(response: ServerResponse, ask: () => Health): void {
  const health = ask();
  response
    .writeHead(health.ok ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' })
    .end(health.ok ? 'ok\n' : `${health.why}\n`);
}

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0;

function closed(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
