import { createHash } from 'node:crypto';
import { type Kind, kinds } from '../core/api/kinds.ts';
import type { Clock } from '../core/clock.ts';
import { errorText } from '../core/failure.ts';
import { callWithin } from './call-within.ts';
import type { Kube, RawObject } from './kube-port.ts';
import type { Log } from './log.ts';
import { recordAt } from './raw-object.ts';

/** Whether a request may see a page, or the HTTP status that refuses it and the sentence that says why. */
export type Access =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 401 | 403 | 503; readonly why: string };

/** Asked before a page is served. `authorization`: the header of the request. */
export type Guard = (path: string, authorization: string | undefined) => Promise<Access>;

type Deps = { readonly kube: Kube; readonly clock: Clock; readonly log: Log };

/** Reviews of a token are asked for again after this long: a right that was taken away ends within it. */
const allowedMilliseconds = 60_000;
const refusedMilliseconds = 10_000;
const limitMilliseconds = 5_000;
/** Verdicts remembered. Who floods us with made-up tokens must neither fill the memory nor reach the API server with all of them. */
const rememberedVerdicts = 256;
const parallelReviews = 8;

const allowed: Access = { allowed: true };
const unauthenticated = (why: string): Access => ({ allowed: false, code: 401, why });
const never = new AbortController().signal;

type Remembered = { readonly access: Access; readonly untilMonotonic: number };

/**
 * Lets in who holds a token that the API server knows (TokenReview) and may `get` the page as a non-resource URL (SubjectAccessReview), as
 * the API server's own endpoints do. Without an answer from the API server nobody gets in.
 */
export function accessReview(deps: Deps): Guard {
  const verdicts = new Map<string, Remembered>();
  const pending = new Map<string, Promise<Access>>();
  const remember = (key: string, access: Access): void => {
    const lasts = access.allowed ? allowedMilliseconds : refusedMilliseconds;
    verdicts.delete(key);
    verdicts.set(key, { access, untilMonotonic: deps.clock.monotonicMilliseconds() + lasts });
    for (const oldest of verdicts.keys()) {
      if (verdicts.size <= rememberedVerdicts) break;
      verdicts.delete(oldest);
    }
  };
  const ask = async (key: string, token: string, path: string): Promise<Access> => {
    try {
      const access = await callWithin(deps.clock, limitMilliseconds, never, (signal) =>
        review(deps.kube, token, path, signal),
      );
      remember(key, access);
      return access;
    } catch (error) {
      deps.log.warn({ path, error: errorText(error) }, 'a request could not be authenticated');
      return { allowed: false, code: 503, why: 'the API server could not be asked' };
    } finally {
      pending.delete(key);
    }
  };
  return async (path, authorization) => {
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return unauthenticated('a bearer token is needed');
    // Tokens themselves are not kept.
    const key = createHash('sha256').update(`${path}\0${token}`).digest('base64');
    const known = verdicts.get(key);
    if (known !== undefined && deps.clock.monotonicMilliseconds() < known.untilMonotonic) {
      return known.access;
    }
    const asked = pending.get(key);
    if (asked !== undefined) return asked;
    if (pending.size >= parallelReviews) {
      return { allowed: false, code: 503, why: 'too many requests at once' };
    }
    const asking = ask(key, token, path);
    pending.set(key, asking);
    return asking;
  };
}

async function review(
  kube: Kube,
  token: string,
  path: string,
  signal: AbortSignal,
): Promise<Access> {
  const who = await send(kube, kinds.tokenReview, { token }, signal);
  if (who.authenticated !== true) return unauthenticated('the API server does not know the token');
  const { username: user, groups, uid, extra } = recordAt(who, 'user');
  const nonResourceAttributes = { path, verb: 'get' };
  const spec = { user, groups, uid, extra, nonResourceAttributes };
  const may = await send(kube, kinds.subjectAccessReview, spec, signal);
  if (may.allowed === true && may.denied !== true) return allowed;
  return { allowed: false, code: 403, why: `${String(user)} may not get ${path}` };
}

/** Sends a review and returns what the API server found. */
async function send(
  kube: Kube,
  kind: Kind,
  spec: RawObject,
  signal: AbortSignal,
): Promise<RawObject> {
  const apiVersion = `${kind.group}/${kind.version}`;
  const object = { apiVersion, kind: kind.kind, spec };
  return recordAt(await kube.create(kind, object, { dryRun: false }, signal), 'status');
}
