import { errorText, Failure, type FailureKind } from '../core/failure.ts';
import type { RawObject } from './kube-port.ts';
import { isRecord, numberAt, recordAt, textAt } from './raw-object.ts';

/** An answer of the API server other than 2xx. */
export type ErrorAnswer = {
  /** For the message: `GET /api/v1/...`. */
  readonly request: string;
  readonly code: number;
  readonly body: string;
  /** The Retry-After header; '' when absent. */
  readonly retryAfter: string;
};

const shownBodyCharacters = 300;

/** Parses a Status body, once, into the failure that says what to do about it. */
export function failureOfAnswer(answer: ErrorAnswer): Failure {
  const status = parsed(answer.body);
  const fromMachinery = isRecord(status) && status.kind === 'Status';
  const reason = (fromMachinery && textAt(status, 'reason')) || `Http${answer.code}`;
  const said = fromMachinery ? textAt(status, 'message') : answer.body.trim();
  const message = `${answer.request}: ${said.slice(0, shownBodyCharacters) || answer.code}`;
  if (answer.code === 404 && !fromMachinery) return new Failure('retry', 'KindNotServed', message);
  const details = fromMachinery ? recordAt(status, 'details') : {};
  // A patch that names a UID means that incarnation; the server calls a mismatch an invalid change of the UID.
  if (answer.code === 422 && namesField(details, 'metadata.uid')) {
    return new Failure('conflict', 'Conflict', message);
  }
  const seconds = numberAt(details, 'retryAfterSeconds', 0);
  const retryAfterMilliseconds = (Number(answer.retryAfter) || seconds) * 1000;
  return failureOfCode(answer.code, reason, message, retryAfterMilliseconds);
}

function namesField(details: RawObject, field: string): boolean {
  const { causes } = details;
  return Array.isArray(causes) && causes.some((cause) => isRecord(cause) && cause.field === field);
}

/** The failure for a Status object that came inside a watch. */
export function failureOfWatchError(status: unknown, request: string): Failure {
  const record = isRecord(status) ? status : {};
  const code = numberAt(record, 'code', 500);
  const message = `${request}: ${textAt(record, 'message') || code}`;
  return failureOfCode(code, textAt(record, 'reason') || `Http${code}`, message, 0);
}

/** The failure for a connection that could not be made or broke. */
export function failureOfConnection(request: string, error: unknown): Failure {
  const code = isRecord(error) ? textAt(error, 'code') : '';
  // A refused connection to a name with several addresses is an AggregateError with an empty message.
  const text = errorText(error) || code || 'connection failed';
  return new Failure('retry', 'ConnectionFailed', `${request}: ${text}`, { cause: error });
}

function failureOfCode(
  code: number,
  reason: string,
  message: string,
  retryAfterMilliseconds: number,
): Failure {
  if (code === 410) return new Failure('gone', 'Expired', message);
  const kind = kindOf(code);
  const options = kind === 'retry' && retryAfterMilliseconds > 0 ? { retryAfterMilliseconds } : {};
  return new Failure(kind, reason, message, options);
}

function kindOf(code: number): FailureKind {
  if (code === 404) return 'gone';
  if (code === 409) return 'conflict';
  // 401: a bound token that has just rotated, or a server that has only begun to start.
  if (code === 401 || code === 408 || code === 429 || code >= 500) return 'retry';
  return 'terminal';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: an answer of a proxy or of the HTTP server itself.
    return undefined;
  }
}
