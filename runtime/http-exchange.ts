import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import { failureOfConnection } from './kube-error.ts';

/** Where the API server is and how to prove who we are; asked before each request, because tokens and certificates rotate. */
export type ServerAccess = {
  readonly server: URL;
  /** TLS material and the authorization header. `agent` is set only where a proxy is configured. */
  readonly options: () => Promise<https.RequestOptions>;
};

export type HttpRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With query, below the server's URL. */
  readonly path: string;
  readonly contentType: string;
  /** '' for none. */
  readonly body: string;
};

export type HttpAnswer = {
  readonly code: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
};

/** For messages. */
export const describeRequest = (request: HttpRequest): string =>
  `${request.method} ${request.path.split('?')[0]}`;

const keepAliveMilliseconds = 30_000;

/** HTTP/1.1 over TLS to one server. Every request has a timeout and honours its signal. */
export class HttpExchange {
  readonly #access: ServerAccess;
  readonly #clock: Clock;
  readonly #timeoutMilliseconds: number;
  readonly #userAgent: string;
  #agent: { readonly material: string; readonly agent: http.Agent } | undefined;

  constructor(
    access: ServerAccess,
    clock: Clock,
    options: { readonly requestTimeoutMilliseconds: number; readonly userAgent: string },
  ) {
    this.#access = access;
    this.#clock = clock;
    this.#timeoutMilliseconds = options.requestTimeoutMilliseconds;
    this.#userAgent = options.userAgent;
  }

  /** The whole answer, whatever its code. */
  async answer(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return this.#limited(request, signal, async (within) => {
      const response = await this.#send(request, within);
      return {
        code: response.statusCode ?? 0,
        headers: response.headers,
        body: await textOf(response),
      };
    });
  }

  /** An answer whose body the caller reads as it comes: the timeout ends with the headers, the signal lasts. Destroy the response when done. */
  async stream(request: HttpRequest, signal: AbortSignal): Promise<IncomingMessage> {
    return this.#limited(request, signal, (within) => this.#send(request, within, signal));
  }

  /** Closes all connections. */
  close(): void {
    this.#agent?.agent.destroy();
    this.#agent = undefined;
  }

  async #limited<T>(
    request: HttpRequest,
    outer: AbortSignal,
    exchange: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    outer.throwIfAborted();
    const within = new AbortController();
    const onOuter = (): void => within.abort(outer.reason);
    outer.addEventListener('abort', onOuter, { once: true });
    const cancel = this.#clock.after(this.#timeoutMilliseconds, () => {
      const message = `${describeRequest(request)}: no answer within ${this.#timeoutMilliseconds} ms`;
      within.abort(new Failure('retry', 'Timeout', message));
    });
    try {
      return await exchange(within.signal);
    } catch (error) {
      within.signal.throwIfAborted();
      throw error instanceof Failure ? error : failureOfConnection(describeRequest(request), error);
    } finally {
      cancel();
      outer.removeEventListener('abort', onOuter);
    }
  }

  /** Sends, and once more when a kept-alive connection turned out to be dead: nothing of a GET can have been done by it. */
  async #send(
    request: HttpRequest,
    signal: AbortSignal,
    bodySignal: AbortSignal = signal,
  ): Promise<IncomingMessage> {
    const options = await this.#options(request);
    const first = await this.#sendOnce(request, options, signal, bodySignal);
    if (first !== 'stale connection') return first;
    const second = await this.#sendOnce(request, { ...options, agent: false }, signal, bodySignal);
    if (second !== 'stale connection') return second;
    throw new Error('the connection broke twice');
  }

  #sendOnce(
    request: HttpRequest,
    options: https.RequestOptions,
    signal: AbortSignal,
    bodySignal: AbortSignal,
  ): Promise<IncomingMessage | 'stale connection'> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const sent =
        this.#access.server.protocol === 'http:' ? http.request(options) : https.request(options);
      const onAbort = (): void => void sent.destroy(new Error('aborted'));
      for (const each of new Set([signal, bodySignal])) {
        each.addEventListener('abort', onAbort, { once: true });
        sent.once('close', () => each.removeEventListener('abort', onAbort));
      }
      sent.once('socket', (socket) => socket.setKeepAlive(true, keepAliveMilliseconds));
      sent.once('response', (response) => {
        // From here on only the body's own signal may cut it.
        if (bodySignal !== signal) signal.removeEventListener('abort', onAbort);
        resolve(response);
      });
      sent.on('error', (error) => {
        const stale = sent.reusedSocket && request.method === 'GET' && !signal.aborted;
        if (stale) resolve('stale connection');
        else reject(error);
      });
      sent.end(request.body === '' ? undefined : request.body);
    });
  }

  async #options(request: HttpRequest): Promise<https.RequestOptions> {
    const access = await this.#access.options();
    const { server } = this.#access;
    const body =
      request.body === ''
        ? {}
        : {
            'content-type': request.contentType,
            'content-length': String(Buffer.byteLength(request.body)),
          };
    return {
      ...access,
      agent: access.agent ?? this.#pooled(access),
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[|\]$/g, ''),
      port: server.port,
      path: `${server.pathname.replace(/\/$/, '')}${request.path}`,
      method: request.method,
      headers: {
        ...access.headers,
        accept: 'application/json',
        'user-agent': this.#userAgent,
        ...body,
      },
    };
  }

  /** One pool of connections for as long as the TLS material stays the same: a pool would go on with the old certificate. */
  #pooled(access: https.RequestOptions): http.Agent {
    const { ca, cert, key, servername, rejectUnauthorized } = access;
    const parts = [ca, cert, key, servername, rejectUnauthorized].map((part) => String(part ?? ''));
    const material = createHash('sha256').update(parts.join('\0')).digest('hex');
    if (this.#agent?.material === material) return this.#agent.agent;
    const pool = {
      keepAlive: true,
      keepAliveMsecs: keepAliveMilliseconds,
      scheduling: 'lifo',
    } as const;
    const agent =
      this.#access.server.protocol === 'http:' ? new http.Agent(pool) : new https.Agent(pool);
    this.#agent = { material, agent };
    return agent;
  }
}

/** The body of a response as text. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
