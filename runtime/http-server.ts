import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorText } from '../core/failure.ts';

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
};

export type RunningHttpServer = {
  readonly port: number;
  readonly close: () => Promise<void>;
};

/** GET /healthz, /readyz and /metrics, as far as given; rejects when the port is taken. */
export function serveHttp(options: HttpServerOptions): Promise<RunningHttpServer> {
  const pages = new Map<string, (response: ServerResponse) => void | Promise<void>>();
  const { alive, ready, metrics } = options;
  if (alive !== undefined) pages.set('/healthz', (response) => answerHealth(response, alive));
  if (ready !== undefined) pages.set('/readyz', (response) => answerHealth(response, ready));
  if (metrics !== undefined) {
    pages.set('/metrics', async (response) => {
      const text = await metrics.metrics();
      response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
    });
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const page = pages.get(path);
    if (page === undefined) return void response.writeHead(404).end('not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end('only GET\n');
    }
    // Wrapped, so that a page that throws before its first await is caught as well.
    const answering = async (): Promise<void> => page(response);
    answering().catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`${errorText(error)}\n`);
    });
  });
  // A probe sends a short request and closes; whoever holds a connection open is none.
  server.requestTimeout = 5_000;
  server.keepAliveTimeout = 5_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host === '' ? undefined : options.host, () => {
      resolve({ port: portOf(server.address()), close: () => closed(server) });
    });
  });
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
