import { describe, expect, it } from 'vitest';
import type { Kind } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import { type Access, accessReview } from '../../../runtime/access-review.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { silentLog } from '../../../runtime/log.ts';
import { recordAt, textAt } from '../../../runtime/raw-object.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

/** An API server that knows the tokens `reader` and `stranger`, of whom only the first may get /metrics. */
function scene() {
  const clock = new FakeClock();
  const asked: RawObject[] = [];
  const trouble: Error[] = [];
  let hold: Promise<void> = Promise.resolve();
  const create = async (kind: Kind, object: RawObject): Promise<RawObject> => {
    asked.push({ kind: kind.kind, ...recordAt(object, 'spec') });
    await hold;
    const error = trouble.shift();
    if (error !== undefined) throw error;
    const spec = recordAt(object, 'spec');
    if (kind.kind === 'SubjectAccessReview') return { status: { allowed: spec.user === 'reader' } };
    const username = textAt(spec, 'token');
    const known = ['reader', 'stranger'].includes(username);
    return {
      status: { authenticated: known, ...(known ? { user: { username, groups: ['g'] } } : {}) },
    };
  };
  const kube = Object.assign(new MemoryKube(clock), { create });
  const guard = accessReview({ kube, clock, log: silentLog });
  const holding = () => {
    const held = Promise.withResolvers<void>();
    hold = held.promise;
    return held.resolve;
  };
  return { asked, clock, guard, holding, trouble };
}

const code = (access: Access): number => (access.allowed ? 200 : access.code);

describe('access by token', () => {
  it('is granted to who may get the page, and is asked for in their name', async () => {
    const { asked, guard } = scene();
    expect(await guard('/metrics', 'Bearer reader')).toEqual({ allowed: true });
    expect(asked).toEqual([
      { kind: 'TokenReview', token: 'reader' },
      {
        ...{ kind: 'SubjectAccessReview', user: 'reader', groups: ['g'] },
        nonResourceAttributes: { path: '/metrics', verb: 'get' },
      },
    ]);
  });

  it('is refused without a token, with something else than a token, and with one that nobody knows', async () => {
    const { asked, guard } = scene();
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic cmVhZGVy', 'reader']) {
      expect(code(await guard('/metrics', header))).toBe(401);
    }
    expect(asked).toEqual([]);
    expect(code(await guard('/metrics', 'Bearer made-up'))).toBe(401);
  });

  it('is forbidden to who is known and may not', async () => {
    const { guard } = scene();
    expect(await guard('/metrics', 'Bearer stranger')).toEqual({
      ...{ allowed: false, code: 403, why: 'stranger may not get /metrics' },
    });
  });

  it('is not granted because the API server gives no answer, and is asked for again', async () => {
    const { guard, trouble } = scene();
    trouble.push(new Failure('retry', 'ConnectionFailed', 'down'));
    expect(code(await guard('/metrics', 'Bearer reader'))).toBe(503);
    expect(code(await guard('/metrics', 'Bearer reader'))).toBe(200);
  });

  it('ends for nobody in the middle of a silent API server', async () => {
    const { clock, guard, holding } = scene();
    holding();
    const answer = guard('/metrics', 'Bearer reader');
    await clock.advance(5_000);
    expect(code(await answer)).toBe(503);
  });

  it('is remembered for a minute, a refusal for ten seconds, each for its own page', async () => {
    const { asked, clock, guard } = scene();
    await guard('/metrics', 'Bearer reader');
    await guard('/metrics', 'Bearer made-up');
    const count = asked.length;
    await clock.advance(9_000);
    await guard('/metrics', 'Bearer reader');
    await guard('/metrics', 'Bearer made-up');
    expect(asked.length).toBe(count);
    await clock.advance(2_000);
    await guard('/metrics', 'Bearer made-up');
    expect(asked.length).toBe(count + 1);
    await guard('/healthz', 'Bearer reader');
    expect(asked.length).toBe(count + 3);
    await clock.advance(60_000);
    await guard('/metrics', 'Bearer reader');
    expect(asked.length).toBe(count + 5);
  });

  it('is asked for once where many come at once with one token, and of few tokens at a time', async () => {
    const { asked, guard, holding } = scene();
    const go = holding();
    const same = Array.from({ length: 20 }, () => guard('/metrics', 'Bearer reader'));
    const others = Array.from({ length: 20 }, (_, index) =>
      guard('/metrics', `Bearer made-up-${index}`),
    );
    await Promise.resolve();
    expect(asked.length).toBe(8);
    go();
    expect((await Promise.all(same)).map(code)).toEqual(Array(20).fill(200));
    const codes = (await Promise.all(others)).map(code);
    expect(codes.filter((one) => one === 401)).toHaveLength(7);
    expect(codes.filter((one) => one === 503)).toHaveLength(13);
  });
});
