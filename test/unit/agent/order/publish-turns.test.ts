import { describe, expect, it } from 'vitest';
import { PublishTurns } from '../../../../agent/order/publish-turns.ts';

const claim = (uid: string, priority = 0) => ({ uid, priority, since: 1 });
const never = new AbortController().signal;
const refuse = (): void => {
  throw new Error('it was made to wait');
};

describe('turns to publish', () => {
  it('are had at once while there are any, and by priority after that', async () => {
    const turns = new PublishTurns(1, () => {});
    await turns.take(claim('a'), refuse, never);
    const order: string[] = [];
    const waiting = ['b', 'urgent'].map((uid) =>
      turns
        .take(claim(uid, uid === 'urgent' ? 10 : 0), () => order.push(`${uid} waits`), never)
        .then(() => order.push(`${uid} goes`)),
    );
    expect(turns.view('b')).toEqual({ state: 'queued', place: 2, limit: 1 });
    turns.yield('a');
    await waiting[1];
    turns.yield('urgent');
    await waiting[0];
    expect(order).toEqual(['b waits', 'urgent waits', 'urgent goes', 'b goes']);
  });

  it('are given up by who is told to stop while it waits', async () => {
    const turns = new PublishTurns(1, () => {});
    await turns.take(claim('a'), refuse, never);
    const stop = new AbortController();
    const waiting = turns.take(claim('b'), () => {}, stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    expect(turns.depth).toBe(0);
    turns.yield('a');
    await turns.take(claim('c'), refuse, never);
  });
});
