import { describe, expect, it } from 'vitest';
import { TurnQueue } from '../../../../agent/order/turn.ts';

describe('the queue for the dump of a node', () => {
  const make = (limit: number) => {
    const told: string[] = [];
    return { told, turns: new TurnQueue(limit, (uid) => told.push(uid)) };
  };

  it('grants the first claim at once and shows the others their place by age', () => {
    const { turns } = make(1);
    turns.claim({ uid: 'a', priority: 0, since: 5 });
    turns.claim({ uid: 'young', priority: 0, since: 9 });
    turns.claim({ uid: 'old', priority: 0, since: 1 });
    expect(turns.view('a')).toEqual({ state: 'granted' });
    expect(turns.view('old')).toEqual({ state: 'queued', place: 1, limit: 1 });
    expect(turns.view('young')).toEqual({ state: 'queued', place: 2, limit: 1 });
    expect(turns.view('nobody')).toEqual({ state: 'none' });
  });

  it('passes the turn to the oldest and tells it, but never who caused the change', () => {
    const { turns, told } = make(1);
    turns.claim({ uid: 'a', priority: 0, since: 1 });
    turns.claim({ uid: 'b', priority: 0, since: 2 });
    expect(told).toEqual([]);
    turns.yield('a');
    expect(turns.view('b')).toEqual({ state: 'granted' });
    expect(told).toEqual(['b']);
    turns.yield('a');
    expect(told).toEqual(['b']);
  });

  it('runs as many at a time as it is told', () => {
    const { turns } = make(2);
    for (const uid of ['a', 'b', 'c']) turns.claim({ uid, priority: 0, since: 1 });
    expect(['a', 'b', 'c'].map((uid) => turns.view(uid).state)).toEqual([
      'granted',
      'granted',
      'queued',
    ]);
    expect(turns.depth).toBe(1);
  });

  it('lets a higher priority go first, whatever its age, but takes no turn away', () => {
    const { turns } = make(1);
    turns.claim({ uid: 'running', priority: -5, since: 9 });
    turns.claim({ uid: 'old', priority: 0, since: 1 });
    turns.claim({ uid: 'low', priority: -10, since: 0 });
    turns.claim({ uid: 'urgent', priority: 1000, since: 5 });
    const places = ['urgent', 'old', 'low'].map((uid) => turns.view(uid));
    expect(places).toMatchObject([{ place: 1 }, { place: 2 }, { place: 3 }]);
    expect(turns.view('running')).toEqual({ state: 'granted' });
    turns.yield('running');
    expect(turns.view('urgent')).toEqual({ state: 'granted' });
  });
});
