import { beforeEach, describe, expect, it } from 'vitest';
import { Milestones } from '../../../../controller/metrics/milestones.ts';
import type { Standing } from '../../../../controller/metrics/standing.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const key = 'default/one';
let clock: FakeClock;
let reported: unknown[];
let milestones: Milestones;
let fresh: Standing;

beforeEach(() => {
  clock = new FakeClock();
  reported = [];
  milestones = new Milestones(clock, () => clock.wallMilliseconds(), {
    bound: (seconds) => reported.push(['bound', seconds]),
    ready: (seconds) => reported.push(['ready', seconds]),
    written: (writes) => reported.push(['written', writes]),
  });
  const createdAt = new Date(clock.wallMilliseconds()).toISOString();
  fresh = { uid: 'first', createdAt, bound: false, end: 'open' };
});

const bound = (): Standing => ({ ...fresh, bound: true });
const ready = (): Standing => ({ ...bound(), end: 'ready' });

describe('milestones of an object', () => {
  it('are reported once each, timed from when it was first seen', async () => {
    milestones.look(key, fresh);
    await clock.advance(40);
    milestones.look(key, bound());
    milestones.look(key, bound());
    await clock.advance(960);
    milestones.look(key, ready());
    milestones.look(key, ready());
    expect(reported).toEqual([
      ['bound', 0.04],
      ['ready', 1],
      ['written', 0],
    ]);
  });

  it('are timed by the server where it is older than the first sight of it', async () => {
    await clock.advance(30_000);
    milestones.look(key, fresh);
    await clock.advance(500);
    milestones.look(key, bound());
    expect(reported).toEqual([['bound', 30.5]]);
  });

  it('tell how many writes it took, the one that made it included, and none after the end', () => {
    milestones.sent(key, 'create');
    milestones.look(key, undefined); // woken by something else before the cache has it
    milestones.look(key, fresh);
    milestones.sent(key, 'other');
    milestones.sent(key, 'other');
    milestones.look(key, { ...fresh, end: 'failed' });
    milestones.sent(key, 'other');
    milestones.look(key, { ...fresh, end: 'failed' });
    expect(reported).toEqual([['written', 3]]);
  });

  it('are not reported for what an earlier leader did', async () => {
    milestones.found(key, bound());
    await clock.advance(5_000);
    milestones.sent(key, 'other');
    milestones.look(key, ready());
    // Of its writes only some are known, so none are told.
    expect(reported).toEqual([['ready', 5]]);
    milestones.found('default/old', ready());
    milestones.look('default/old', ready());
    expect(reported).toHaveLength(1);
  });

  it('begin anew for a successor of the same name', async () => {
    milestones.look(key, ready());
    reported.length = 0;
    await clock.advance(1_000);
    const successor = { ...fresh, uid: 'second' };
    milestones.look(key, successor);
    await clock.advance(250);
    milestones.look(key, { ...successor, bound: true });
    expect(reported).toEqual([['bound', 0.25]]);
  });

  it('are forgotten with it', () => {
    milestones.look(key, ready());
    milestones.look(key, undefined);
    reported.length = 0;
    milestones.look(key, bound());
    expect(reported).toEqual([['bound', 0]]);
  });
});
