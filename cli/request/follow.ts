import { sleep, systemClock } from '../../core/clock.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { identityOf } from '../../runtime/raw-object.ts';
import { readRaw } from '../../runtime/read-raw.ts';
import type { KubeSession } from '../kube-session.ts';
import { parsedOr } from '../read-object.ts';
import { requestKey } from './named.ts';
import { type RequestView, requestView } from './view.ts';

/** A watch is opened anew so often: a connection that died without a word is noticed. */
const watchSeconds = 60;
const deadAfterMilliseconds = (watchSeconds + 30) * 1000;
const pauseMilliseconds = 1000;

/** What following a request is for. */
export type Following = {
  readonly timeoutMilliseconds: number;
  /** Called with each change, first with the request as it is; undefined: it is gone, or another took its name. */
  readonly onChange: (view: RequestView | undefined) => void;
  /** Called once each time that the API server does not answer; it is asked again until it does. */
  readonly onSilence: (failure: Failure) => void;
  /** Whether that is what was waited for. */
  readonly isEnd: (view: RequestView | undefined) => boolean;
};

/**
 * Watches one request until `isEnd`, through restarts of the API server. Rejects with a `TookTooLong` failure when that takes too long, with the
 * signal's reason on Ctrl-C, and at once when a right is missing.
 */
export async function followRequest(
  session: KubeSession,
  start: RequestView,
  following: Following,
): Promise<RequestView | undefined> {
  const stop = new AbortController();
  const cancel = systemClock.after(following.timeoutMilliseconds, () => {
    const waited = `${following.timeoutMilliseconds / 1000} s`;
    const message = `${start.word} ${start.metadata.name} took longer than ${waited}`;
    stop.abort(new Failure('terminal', 'TookTooLong', message));
  });
  const signal = AbortSignal.any([session.terminal.signal, stop.signal]);
  try {
    for await (const view of changes(session, start, following.onSilence, signal)) {
      following.onChange(view);
      if (following.isEnd(view)) return view;
    }
    throw new Error('changes end only by being thrown out of');
  } finally {
    cancel();
  }
}

/** The request as it is, and after each change, for ever. */
async function* changes(
  session: KubeSession,
  start: RequestView,
  onSilence: Following['onSilence'],
  signal: AbortSignal,
): AsyncIterable<RequestView | undefined> {
  let heard = true;
  for (;;) {
    try {
      const now = await current(session, start, signal);
      heard = true;
      yield now;
      // Nothing more can become of what is gone.
      if (now !== undefined) yield* watched(session, now, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFailure(error, 'retry', 'gone')) throw error;
      if (heard) onSilence(error);
      heard = false;
    }
    // Rejects with the signal's reason: this is what ends it.
    await sleep(systemClock, pauseMilliseconds, signal);
  }
}

/** Read uncached: a list that a cache answers may not know yet what was made a moment ago. */
async function current(
  session: KubeSession,
  start: RequestView,
  signal: AbortSignal,
): Promise<RequestView | undefined> {
  const key = requestKey(session, start.word, start.metadata.name);
  const raw = await readRaw(session.kube, key, signal);
  return raw === undefined ? undefined : same(session, start, raw);
}

async function* watched(
  session: KubeSession,
  now: RequestView,
  signal: AbortSignal,
): AsyncIterable<RequestView | undefined> {
  const { name, resourceVersion } = now.metadata;
  const { kind } = requestKey(session, now.word, name);
  const selection = {
    ...{ kind, namespace: session.namespace, fieldSelector: `metadata.name=${name}` },
    ...{ resourceVersion, timeoutSeconds: watchSeconds },
  };
  const alive = new AbortController();
  const cancel = systemClock.after(deadAfterMilliseconds, () => {
    alive.abort(new Failure('retry', 'Silent', 'the watch died'));
  });
  try {
    const events = session.kube.watch(selection, AbortSignal.any([signal, alive.signal]));
    for await (const { type, object } of events) {
      if (type === 'ERROR') return;
      if (type === 'BOOKMARK') continue;
      yield type === 'DELETED' ? undefined : same(session, now, object);
    }
  } finally {
    cancel();
  }
}

/** Another object of the same name is not the one that is followed. */
function same(session: KubeSession, start: RequestView, raw: RawObject): RequestView | undefined {
  if (identityOf(raw).uid !== start.metadata.uid) return undefined;
  const key = requestKey(session, start.word, start.metadata.name);
  return parsedOr(key, requestView(start.word, raw));
}
