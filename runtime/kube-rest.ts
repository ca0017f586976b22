import type { Kind } from '../core/api/kinds.ts';
import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import {
  describeRequest,
  type HttpAnswer,
  type HttpExchange,
  type HttpRequest,
  textOf,
} from './http-exchange.ts';
import { failureOfAnswer, failureOfConnection } from './kube-error.ts';
import { createPath, objectPath, selectionPath } from './kube-path.ts';
import type {
  Kube,
  ObjectKey,
  Page,
  Patch,
  Preconditions,
  RawObject,
  Selection,
  ServerClock,
  ServerTime,
  WatchEvent,
} from './kube-port.ts';
import { identityOf, isRecord, recordAt, textAt } from './raw-object.ts';
import { watchEvents } from './watch-events.ts';

const contentTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

type Headers = HttpAnswer['headers'];

/** `Kube` over the REST interface of a real API server. */
export class RestKube implements Kube, ServerClock {
  readonly #http: HttpExchange;
  readonly #clock: Clock;
  readonly #onWarning: (text: string) => void;
  #serverTime: ServerTime | undefined;

  constructor(http: HttpExchange, clock: Clock, onWarning: (text: string) => void) {
    this.#http = http;
    this.#clock = clock;
    this.#onWarning = onWarning;
  }

  serverTime(): ServerTime | undefined {
    return this.#serverTime;
  }

  get(key: ObjectKey, signal: AbortSignal): Promise<RawObject> {
    return this.#object(read(objectPath(key, '')), signal);
  }

  async list(
    selection: Selection & {
      readonly limit: number;
      readonly continue?: string;
      readonly resourceVersion?: string;
    },
    signal: AbortSignal,
  ): Promise<Page> {
    const { limit, resourceVersion } = selection;
    const path = selectionPath(selection, { limit, resourceVersion, continue: selection.continue });
    const list = await this.#object(read(path), signal);
    const metadata = recordAt(list, 'metadata');
    const items = Array.isArray(list.items) ? list.items.filter(isRecord) : [];
    const { kind } = selection;
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
    return {
      // Items of built-in kinds come without their type, those of a watch with it: one shape for all.
      items: items.map((item) => ({ apiVersion, kind: kind.kind, ...item })),
      resourceVersion: textAt(metadata, 'resourceVersion'),
      continue: textAt(metadata, 'continue'),
    };
  }

  async *watch(
    selection: Selection & { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent> {
    const { resourceVersion, timeoutSeconds } = selection;
    const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
    const request = read(selectionPath(selection, query));
    const response = await this.#http.stream(request, signal);
    try {
      this.#note(response.headers);
      const code = response.statusCode ?? 0;
      if (code !== 200)
        throw failed(request, { code, headers: response.headers, body: await textOf(response) });
      yield* watchEvents(response);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof Failure ? error : failureOfConnection(describeRequest(request), error);
    } finally {
      response.destroy();
    }
    signal.throwIfAborted();
  }

  create(
    kind: Kind,
    object: RawObject,
    options: { readonly dryRun: boolean },
    signal: AbortSignal,
  ): Promise<RawObject> {
    const path = createPath(kind, identityOf(object).namespace, {
      dryRun: options.dryRun ? 'All' : undefined,
    });
    const body = JSON.stringify(object);
    return this.#object({ method: 'POST', path, contentType: 'application/json', body }, signal);
  }

  patch(
    key: ObjectKey,
    subresource: '' | 'status',
    patch: Patch,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const path = objectPath(key, subresource);
    const contentType = contentTypes[patch.type];
    const body = JSON.stringify(patch.body);
    return this.#object({ method: 'PATCH', path, contentType, body }, signal);
  }

  async delete(key: ObjectKey, preconditions: Preconditions, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      preconditions,
    });
    const path = objectPath(key, '');
    await this.#object({ method: 'DELETE', path, contentType: 'application/json', body }, signal);
  }

  async #object(request: HttpRequest, signal: AbortSignal): Promise<RawObject> {
    const answer = await this.#http.answer(request, signal);
    this.#note(answer.headers);
    if (answer.code < 200 || answer.code > 299) throw failed(request, answer);
    const object = parseJson(answer.body);
    if (isRecord(object)) return object;
    throw new Failure('retry', 'BadAnswer', `${describeRequest(request)}: not a JSON object`);
  }

  #note(headers: Headers): void {
    const wallMilliseconds = Date.parse(headers.date ?? '');
    if (Number.isFinite(wallMilliseconds)) {
      const monotonicMilliseconds = this.#clock.monotonicMilliseconds();
      this.#serverTime = { wallMilliseconds, monotonicMilliseconds };
    }
    // What the server dropped or deprecated: `299 - "unknown field ..."`.
    const { warning } = headers;
    if (typeof warning === 'string') this.#onWarning(warning);
  }
}

const read = (path: string): HttpRequest => ({ method: 'GET', path, contentType: '', body: '' });

const failed = (request: HttpRequest, answer: HttpAnswer): Failure =>
  failureOfAnswer({
    request: describeRequest(request),
    code: answer.code,
    body: answer.body,
    retryAfter: answer.headers['retry-after'] ?? '',
  });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says what was expected.
    return undefined;
  }
}
