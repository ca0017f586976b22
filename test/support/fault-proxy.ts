import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import type { Bed } from '../bed/bed.ts';

/** A request as rules see it. `path` has no query; `body` is '' where there is none. */
export type ProxiedRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
};

/**
 * What happens to a request instead of being passed on: an answer with this code; 'drop': the connection breaks before the server sees it;
 * 'lose-answer': the server does it and the connection breaks before its answer; 'hang': nothing ever comes back.
 */
export type Fault =
  | { readonly code: number; readonly retryAfterSeconds?: number }
  | 'drop'
  | 'lose-answer'
  | 'hang';

/** Decides for each request; undefined passes it on to the real server. */
export type FaultRule = (request: ProxiedRequest) => Fault | undefined;

export type FaultProxy = {
  /** A kubeconfig of a client that goes through the proxy, as administrator. */
  readonly kubeconfigPath: string;
  /** All requests in order, faulted ones too. */
  readonly requests: readonly ProxiedRequest[];
  /** Replaces the rule. */
  readonly setRule: (rule: FaultRule) => void;
  /** Breaks every open connection of clients, streams included. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
};

/** A TLS-terminating proxy in front of a bed's real API server, with that server's own certificate, that answers or breaks what a rule picks. */
export async function startFaultProxy(bed: Bed, name: string): Promise<FaultProxy> {
  const pki = (file: string): string => join(bed.directory, 'pki', file);
  const [ca, adminCert, adminKey, serverCert, serverKey] = await Promise.all(
    [
      bed.caPath,
      bed.adminCertPath,
      bed.adminKeyPath,
      pki('apiserver.crt'),
      pki('apiserver.key'),
    ].map((path) => readFile(path)),
  );
  const upstream = {
    ca,
    cert: adminCert,
    key: adminKey,
    agent: new https.Agent({ keepAlive: false }),
  };
  const requests: ProxiedRequest[] = [];
  let rule: FaultRule = () => undefined;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', bed.server);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks).toString('utf8');
    const { pathname: path, searchParams: query } = url;
    const seen = { method: request.method ?? '', path, query, body };
    requests.push(seen);
    const fault = rule(seen);
    const pass = (): void => forward(url, upstream, request, body, response);
    if (fault === undefined) pass();
    else answerFault(fault, pass, request, response);
  };
  const server = https.createServer({ cert: serverCert, key: serverKey }, (request, response) => {
    // A client that breaks off in the middle of its request gets no answer.
    serve(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const kubeconfigPath = join(bed.directory, `fault-proxy-${name}.kubeconfig`);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  await writeFile(kubeconfigPath, kubeconfig(`https://127.0.0.1:${address.port}`, bed.caPath));
  return {
    kubeconfigPath,
    requests,
    setRule: (next) => {
      rule = next;
    },
    cut: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerFault(
  fault: Fault,
  pass: () => void,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault === 'hang') return;
  if (fault === 'drop') {
    request.socket.destroy();
    return;
  }
  if (fault === 'lose-answer') {
    // The answer's headers are held back until the server has finished, then nothing of it is sent.
    response.writeHead = () => {
      request.socket.destroy();
      return response;
    };
    pass();
    return;
  }
  const { code, retryAfterSeconds } = fault;
  const headers =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    message: 'made by the proxy',
  };
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(status));
}

function forward(
  url: URL,
  upstream: https.RequestOptions,
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
): void {
  // The client's word about itself is dropped: the proxy speaks as administrator.
  const { authorization: _authorization, host: _host, ...headers } = request.headers;
  const sent = https.request(url, { ...upstream, method: request.method ?? 'GET', headers });
  sent.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  sent.on('error', () => request.socket.destroy());
  response.on('close', () => sent.destroy());
  sent.end(body);
}

const kubeconfig = (server: string, caPath: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bed', cluster: { server, 'certificate-authority': caPath } }],
    users: [{ name: 'proxied', user: { token: 'dropped-by-the-proxy' } }],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'proxied' } }],
    'current-context': 'bed',
  });
