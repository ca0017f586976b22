import { afterEach, describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { captureLeaseName } from '../../../../core/api/names.ts';
import { sleep } from '../../../../core/clock.ts';
import { Failure } from '../../../../core/failure.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import { World } from './support/world.ts';

const never = new AbortController().signal;
const isWrite = (verb: string): boolean => !['get', 'list', 'watch'].includes(verb);

describe('an API server in trouble', () => {
  let world = new World();
  afterEach(() => world.close());

  const captured = async (): Promise<void> => {
    await world.until('the end', () => world.end() === 'Captured', 400_000);
    await world.until('quiet', () => world.node.journal.size === 0);
    await world.clock.advance(3000);
    expect(world.node.trace.violations()).toEqual([]);
    expect(world.node.references.size).toBe(1);
    expect(world.node.dumps.length).toBe(1);
    expect(world.node.staging.size).toBe(0);
  };

  it.each([0, 100, 230, 300, 450, 600])(
    'that is away for a minute, %d ms into the order, delays it and nothing else',
    async (afterMilliseconds) => {
      world = new World();
      await world.startAgent();
      await world.createContent(await world.createPod());
      await world.clock.advance(afterMilliseconds);
      const backAt = world.clock.monotonicMilliseconds() + 60_000;
      world.kube.before = () => {
        if (world.clock.monotonicMilliseconds() < backAt) {
          throw new Failure('retry', 'ConnectionFailed', 'connection refused');
        }
      };
      world.kube.closeWatches();
      await captured();
    },
  );

  it.each([
    [
      'refused as busy',
      'before',
      new Failure('retry', 'TooManyRequests', 'slow down', { retryAfterMilliseconds: 1000 }),
    ],
    ['answered with 500', 'before', new Failure('retry', 'InternalError', 'etcd is unhappy')],
    ['answered with a conflict', 'before', new Failure('conflict', 'Conflict', 'it moved')],
    ['applied, but its answer lost', 'after', new Failure('retry', 'Timeout', 'no answer')],
  ] as const)(
    'whose every write is once %s leads to the same end',
    async (_what, moment, trouble) => {
      for (let index = 0; index < 5; index += 1) {
        world = new World();
        await world.startAgent();
        await world.createContent(await world.createPod());
        let writes = 0;
        world.kube[moment] = (call) => {
          if (!isWrite(call.verb)) return;
          writes += 1;
          if (writes - 1 === index) throw trouble;
        };
        await captured();
        world.close();
      }
    },
  );
});

describe('a lease that somebody else has taken', () => {
  it('silences the agent until it is free again, and the order still ends once', async () => {
    const world = new World();
    await world.startAgent();
    world.node.publishMilliseconds = 20_000;
    await world.createContent(await world.createPod());
    await world.until('the thaw', () => world.node.trace.deeds.at(-1)?.what === 'dump-ended');
    const { uid } = world.content().metadata;
    const key = { kind: kinds.lease, namespace: 'cryopod-system', name: captureLeaseName(uid) };
    const spec = { holderIdentity: 'somebody-else', leaseTransitions: 2 };
    await world.kube.patch(key, '', { type: 'merge', body: { spec } }, never);
    // A renewal is due every 10 s, and one that meets a conflict asks again 2 s later: until then nobody can know.
    await world.clock.advance(13_000);
    const before = world.kube.writes.length;
    await world.clock.advance(12_000);
    const own = world.kube.writes.slice(before).filter((call) => call.kind !== 'Lease');
    expect(own).toEqual([]);
    expect(world.node.references.size).toBe(0);
    await world.until('the end', () => world.end() === 'Captured');
    await world.clock.advance(3000);
    expect(world.node.dumps.length).toBe(1);
    expect(world.node.trace.violations()).toEqual([]);
    world.close();
  });
});

describe('an orderly stop', () => {
  const stopAfter = async (
    milliseconds: number,
  ): Promise<{ readonly world: World; readonly dumps: number }> => {
    const world = new World();
    const life = await world.startAgent();
    world.node.dumpMilliseconds = 2000;
    world.node.publishMilliseconds = 4000;
    await world.createContent(await world.createPod());
    await world.clock.advance(milliseconds);
    const stopped = world.agent?.orders.stop(20_000);
    await world.clock.advance(5000);
    await stopped;
    expect(world.node.frozen).toBe(false);
    life.kill();
    await world.startAgent();
    const started = world.clock.monotonicMilliseconds();
    await world.until('the end', () => world.end() === 'Captured');
    // The lease was given back: nobody has to wait for it to run out.
    expect(world.clock.monotonicMilliseconds() - started).toBeLessThan(12_000);
    await world.clock.advance(2000);
    expect(world.node.trace.violations()).toEqual([]);
    world.close();
    return { world, dumps: world.node.dumps.length };
  };

  it('in the freeze thaws the source, does not count the attempt, and a later agent captures', async () => {
    const { world, dumps } = await stopAfter(1000);
    expect(dumps).toBe(2);
    expect(world.content().status.attempts).toBe(1);
  });

  it('at any moment gives the lease back', async () => {
    for (let milliseconds = 1; milliseconds <= 60; milliseconds += 3) {
      const world = new World();
      world.kube.before = () => sleep(world.clock, 5, never);
      await world.startAgent();
      await world.clock.advance(100);
      const created = world.createPod().then((uid) => world.createContent(uid));
      await world.clock.advance(30);
      await created;
      await world.clock.advance(milliseconds);
      const stopped = world.agent?.orders.stop(20_000);
      await world.clock.advance(5000);
      await stopped;
      for (const lease of world.kube.all(kinds.lease)) {
        expect(recordAt(lease, 'spec').holderIdentity, `${milliseconds} ms`).toBe('');
      }
      world.close();
    }
  });

  it('is over within the grace when a dump does not end, whose lease is then left to run out', async () => {
    const world = new World();
    world.node.dumpMilliseconds = 10_000;
    world.node.abortMilliseconds = 300_000;
    await world.startAgent();
    await world.createContent(await world.createPod());
    await world.until('a dump', () => world.node.frozen);
    let over = false;
    const stopped = world.agent?.orders.stop(20_000).then(() => {
      over = true;
    });
    await world.clock.advance(19_000);
    expect(over).toBe(false);
    await world.clock.advance(2000);
    await stopped;
    const holders = world.kube
      .all(kinds.lease)
      .map((lease) => recordAt(lease, 'spec').holderIdentity);
    expect(holders).toEqual(['agent-1']);
    world.close();
  });

  it('in the publish leaves it to a later agent, which freezes nothing again', async () => {
    const { dumps } = await stopAfter(3000);
    expect(dumps).toBe(1);
  });
});
