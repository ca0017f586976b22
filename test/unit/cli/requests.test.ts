import { beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import { CliWorld, failedStatus, readyStatus } from './support/requests.ts';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.open();
});

const names = () =>
  world.kube.all(kinds.podSnapshot).map((raw) => (raw.metadata as { name: string }).name);

describe('cryopod wait', () => {
  it('waits for what the kind ends with', async () => {
    await world.snapshot('one');
    await world.onceWatched(() => world.status(kinds.podSnapshot, 'one', readyStatus));
    const { code, printed } = await world.run(['wait', 'one']);
    expect([code, printed]).toEqual([0, 'podsnapshot.nvidia.com/one ready\n']);
    expect((await world.run(['wait', 'one', '-o', 'name'])).printed).toBe(
      'podsnapshot.nvidia.com/one\n',
    );
  });

  it.each([
    ['ended', 0, 'ended: Failed'],
    ['condition=Failed', 0, 'Failed=True'],
    ['condition=ready=false', 0, 'ready=false'],
    ['ready', 1, ''],
    ['restored', 2, ''],
  ] as const)('for %s ends with %d when the capture has failed', async (goal, expected, said) => {
    await world.snapshot('one', failedStatus('NodeLost', 'node-a is gone'));
    const { code, printed } = await world.run(['wait', 'snapshot/one', '--for', goal]);
    expect([code, printed]).toEqual([expected, expect.stringContaining(said)]);
  });

  it('sees a deletion, and does not take a successor of the name for what it waits for', async () => {
    await world.snapshot('one');
    const key = { kind: kinds.podSnapshot, namespace: 'team', name: 'one' };
    await world.onceWatched(async () => {
      await world.kube.delete(key, {}, new AbortController().signal);
      await world.snapshot('one', readyStatus);
    });
    const { code, complaints } = await world.run(['wait', 'one']);
    expect([code, complaints]).toEqual([3, expect.stringContaining('was deleted while')]);
    await world.onceWatched(() => world.kube.delete(key, {}, new AbortController().signal));
    const { printed } = await world.run(['wait', 'one', '--for', 'deleted']);
    expect(printed).toBe('podsnapshot.nvidia.com/one deleted\n');
    const again = await world.run(['wait', 'one', '--for', 'deleted']);
    expect([again.code, again.complaints]).toEqual([0, 'one is not there.\n']);
  });

  it('goes on when the API server breaks off, and stops when it may not watch', async () => {
    await world.snapshot('one');
    let watches = 0;
    world.kube.before = async ({ verb }) => {
      if (verb !== 'watch') return;
      watches += 1;
      await world.status(kinds.podSnapshot, 'one', readyStatus);
      throw new Failure('retry', 'ConnectionFailed', 'broken');
    };
    expect((await world.run(['wait', 'one'])).code).toBe(0);
    expect(watches).toBe(1);
    await world.snapshot('two');
    world.kube.before = ({ verb }) => {
      if (verb === 'watch') throw new Failure('terminal', 'Forbidden', 'cannot watch');
    };
    expect((await world.run(['wait', 'two'])).code).toBe(4);
  });
});

describe('cryopod cancel', () => {
  it('asks that very snapshot to stop, and waits for the end', async () => {
    await world.snapshot('one');
    await world.onceWatched(() =>
      world.status(kinds.podSnapshot, 'one', failedStatus('Cancelled', 'cancelled')),
    );
    const { code, printed } = await world.run(['cancel', 'one', '--wait']);
    expect(code).toBe(0);
    expect(printed).toBe(
      'podsnapshot.nvidia.com/one is being cancelled\npodsnapshot.nvidia.com/one cancelled\n',
    );
    expect(world.kube.all(kinds.podSnapshot)[0]?.spec).toMatchObject({ cancel: true });
    expect((await world.run(['cancel', 'one'])).printed).toContain('was cancelled before');
  });

  it('has nothing to do with what has ended, or is a restore', async () => {
    await world.snapshot('one', readyStatus);
    await world.restore('again');
    const ended = await world.run(['cancel', 'one']);
    expect([ended.code, ended.complaints]).toEqual([
      1,
      expect.stringContaining('cryopod delete snapshot/one'),
    ]);
    const restore = await world.run(['cancel', 'again']);
    expect([restore.code, restore.complaints]).toEqual([
      2,
      expect.stringContaining('cryopod delete restore/again'),
    ]);
  });

  it('ends with 1 when the capture was Ready before the wish came', async () => {
    await world.snapshot('one');
    await world.onceWatched(() => world.status(kinds.podSnapshot, 'one', readyStatus));
    expect((await world.run(['cancel', 'one', '--wait'])).code).toBe(1);
  });
});

describe('cryopod delete', () => {
  it('asks on a terminal, with what is lost, and takes no for an answer', async () => {
    await world.snapshot('one', readyStatus);
    const { code, complaints } = await world.run(['delete', 'one'], {
      answers: true,
      input: 'n\n',
    });
    expect(code).toBe(1);
    expect(complaints).toMatch(
      /holds 512 MiB of pod web \(sha256:ababababab.*nothing can be restored/,
    );
    expect(complaints).toContain('Nothing was deleted.');
    expect(names()).toEqual(['one']);
    const yes = await world.run(['delete', 'one'], { answers: true, input: 'y\n' });
    expect([yes.code, yes.printed]).toEqual([0, 'podsnapshot.nvidia.com/one is being deleted\n']);
    expect(names()).toEqual([]);
  });

  it.each([
    ['--yes', ['--yes'], { answers: true }, {}],
    ['no terminal', [], {}, {}],
    ['nothing to lose', [], { answers: true }, { deletionPolicy: 'Retain' }],
  ] as const)('does not ask with %s', async (_, flags, given, spec) => {
    await world.snapshot('one', readyStatus, spec);
    const { code, complaints } = await world.run(['delete', 'one', ...flags], given);
    expect([code, complaints, names()]).toEqual([0, '', []]);
  });

  it('goes on with the others when one is not there, and waits until they are gone', async () => {
    await world.snapshot('one', readyStatus);
    await world.restore('again');
    const { code, printed, complaints } = await world.run([
      ...['delete', 'nope', 'one', 'restore/again', '--wait', '-o', 'name'],
    ]);
    expect(code).toBe(3);
    expect(complaints).toContain('no snapshot and no restore nope in namespace team');
    expect(printed).toBe('podsnapshot.nvidia.com/one\npodrestore.cryopod.dev/again\n');
  });

  it('deletes nobody who took the name while the question stood', async () => {
    await world.snapshot('one', readyStatus);
    world.kube.before = async ({ verb, body }) => {
      if (verb === 'delete') expect(body).toEqual({ uid: expect.stringMatching(/^uid-/) });
    };
    expect((await world.run(['delete', 'one'])).code).toBe(0);
  });

  it('wants the kind where a name may be two', async () => {
    await world.snapshot('one');
    await world.restore('one');
    const { code, complaints } = await world.run(['delete', 'one']);
    expect([code, complaints]).toEqual([
      2,
      expect.stringContaining('say snapshot/one or restore/one'),
    ]);
  });
});
