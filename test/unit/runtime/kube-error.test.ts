import { expect, it } from 'vitest';
import {
  failureOfAnswer,
  failureOfConnection,
  failureOfWatchError,
} from '../../../runtime/kube-error.ts';

const status = (code: number, reason: string, more: object = {}): string =>
  JSON.stringify({
    kind: 'Status',
    status: 'Failure',
    code,
    reason,
    message: `said ${reason}`,
    ...more,
  });
const answer = (code: number, body: string, retryAfter = '') =>
  failureOfAnswer({ request: 'GET /x', code, body, retryAfter });

it.each([
  [400, 'BadRequest', 'terminal'],
  [401, 'Unauthorized', 'retry'],
  [403, 'Forbidden', 'terminal'],
  [404, 'NotFound', 'gone'],
  [405, 'MethodNotAllowed', 'terminal'],
  [408, 'Timeout', 'retry'],
  [409, 'AlreadyExists', 'conflict'],
  [409, 'Conflict', 'conflict'],
  [413, 'RequestEntityTooLarge', 'terminal'],
  [422, 'Invalid', 'terminal'],
  [429, 'TooManyRequests', 'retry'],
  [500, 'InternalError', 'retry'],
  [503, 'ServiceUnavailable', 'retry'],
  [504, 'Timeout', 'retry'],
] as const)('sorts %i %s as %s', (code, reason, kind) => {
  expect(answer(code, status(code, reason))).toMatchObject({
    kind,
    reason,
    message: `GET /x: said ${reason}`,
  });
});

it('names every 410 Expired', () => {
  expect(answer(410, status(410, 'Gone'))).toMatchObject({ kind: 'gone', reason: 'Expired' });
});

it('takes the pause from the header, else from the body', () => {
  const details = { details: { retryAfterSeconds: 7 } };
  const body = status(429, 'TooManyRequests', details);
  expect(answer(429, body, '3').retryAfterMilliseconds).toBe(3000);
  expect(answer(429, body).retryAfterMilliseconds).toBe(7000);
  expect(answer(429, status(429, 'X')).retryAfterMilliseconds).toBeUndefined();
  expect(
    answer(429, 'slow down', 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterMilliseconds,
  ).toBeUndefined();
});

it('does not believe a 404 that the API machinery did not send', () => {
  expect(answer(404, '404 page not found\n')).toMatchObject({
    kind: 'retry',
    reason: 'KindNotServed',
  });
});

it('understands answers that are no Status', () => {
  expect(answer(502, '<html>bad gateway</html>')).toMatchObject({
    kind: 'retry',
    reason: 'Http502',
    message: 'GET /x: <html>bad gateway</html>',
  });
  expect(answer(400, '')).toMatchObject({ kind: 'terminal', message: 'GET /x: 400' });
});

it('takes a refused change of the UID for a conflict', () => {
  const body = status(422, 'Invalid', { details: { causes: [{ field: 'metadata.uid' }] } });
  expect(answer(422, body)).toMatchObject({ kind: 'conflict', reason: 'Conflict' });
});

it('sorts errors inside a watch in the same way', () => {
  const inside = (code: number, reason: string) =>
    failureOfWatchError({ code, reason }, 'watch pods');
  expect(inside(410, 'Expired')).toMatchObject({ kind: 'gone', reason: 'Expired' });
  expect(inside(500, 'InternalError')).toMatchObject({ kind: 'retry' });
  expect(failureOfWatchError('nonsense', 'watch pods')).toMatchObject({
    kind: 'retry',
    reason: 'Http500',
  });
});

it('keeps the cause of a connection failure, and says something even where the error does not', () => {
  const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
  const failure = failureOfConnection('GET /x', refused);
  expect(failure).toMatchObject({ kind: 'retry', reason: 'ConnectionFailed', cause: refused });
  expect(failure.message).toBe('GET /x: ECONNREFUSED');
});
