import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kinds } from '../../../core/api/kinds.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { Failure } from '../../../core/failure.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import { CliWorld, failedStatus, readyStatus } from './support/requests.ts';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.open();
});

const snapshots = () =>
  world.kube.all(kinds.podSnapshot).map((raw) => {
    const parsed = parsePodSnapshot(raw);
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  });

describe('cryopod checkpoint', () => {
  it('asks for a capture of all containers of the very pod that is there', async () => {
    const { code, printed } = await world.run(['checkpoint', 'pod/web']);
    expect(code).toBe(0);
    const [made] = snapshots();
    expect(made?.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
    expect(printed).toBe(`podsnapshot.nvidia.com/${made?.metadata.name} created\n`);
    const { uid } = identityOf(world.kube.all(kinds.pod)[0] ?? {});
    expect(made?.spec.source.podRef).toEqual({ name: 'web', uid, containers: ['main', 'side'] });
  });

  it('passes every wish on', async () => {
    const words = [
      ...['checkpoint', 'web', '--name', 'kept', '-c', 'side', '--after-capture', 'Terminate'],
      ...['--tcp', 'Refuse', '--deadline', '10m', '--freeze-budget', '5s'],
      ...['--deletion-policy', 'Retain', '--no-wait-for-ready', '-o', 'name'],
    ];
    expect((await world.run(words)).printed).toBe('podsnapshot.nvidia.com/kept\n');
    expect(snapshots()[0]?.spec).toMatchObject({
      ...{ afterCapture: 'Terminate', tcp: 'Refuse', deadlineSeconds: 600, freezeBudgetSeconds: 5 },
      ...{ deletionPolicy: 'Retain', waitForReady: false },
      source: { podRef: { containers: ['side'] } },
    });
  });

  it('shows a manifest and makes nothing when it is a dry run', async () => {
    const words = ['checkpoint', 'web', '--name', 'x', '--dry-run=client', '-o', 'yaml'];
    const { code, printed } = await world.run(words);
    expect(code).toBe(0);
    expect(parse(printed)).toMatchObject({ kind: 'PodSnapshot', metadata: { name: 'x' } });
    const { printed: said } = await world.run([
      'checkpoint',
      'web',
      '--name',
      'x',
      '--dry-run=server',
    ]);
    expect(said).toBe('podsnapshot.nvidia.com/x created (server dry run)\n');
    expect(snapshots()).toEqual([]);
  });

  it('waits for the end, with a line a stage where nobody watches', async () => {
    const progress = { bytesDone: 1_048_576, bytesTotal: 4_194_304, bytesPerSecond: 524_288 };
    await world.onceWatched(async () => {
      await world.status(kinds.podSnapshot, 'x', { stage: 'Freezing', progress });
      await world.status(kinds.podSnapshot, 'x', readyStatus);
    });
    const { code, printed, complaints } = await world.run([
      'checkpoint',
      'web',
      '--name',
      'x',
      '--wait',
    ]);
    expect(code).toBe(0);
    expect(complaints).toBe(
      'snapshot x Pending\nsnapshot x Freezing: 1.0 MiB of 4.0 MiB, 25 %, 512 KiB/s\n',
    );
    expect(printed).toBe(
      'podsnapshot.nvidia.com/x created\npodsnapshot.nvidia.com/x ready: 512 MiB, frozen 1.0 s\n',
    );
  });

  it('draws a bar over itself on a terminal, no wider than that', async () => {
    const estimatedCompletionTime = new Date(Date.now() + 60_000).toISOString();
    const progress = { bytesDone: 1, bytesTotal: 2, bytesPerSecond: 9, estimatedCompletionTime };
    await world.onceWatched(async () => {
      await world.status(kinds.podSnapshot, 'x', { stage: 'Publishing', progress });
      await world.status(kinds.podSnapshot, 'x', readyStatus);
    });
    const words = ['checkpoint', 'web', '--name', 'x', '--wait'];
    const { complaints } = await world.run(words, { watched: true, columns: () => 60 });
    expect(complaints).toContain(
      '\r\u001b[Kx Publishing [############............] 1 B of 2 B, 50 %',
    );
    const drawn = complaints.split('\r\u001b[K');
    expect(Math.max(...drawn.map((line) => line.length))).toBeLessThan(60);
    expect(drawn.at(-1)).toBe('');
  });

  it('ends with 1 and the reason when the capture fails', async () => {
    await world.onceWatched(() =>
      world.status(kinds.podSnapshot, 'x', failedStatus('StorageFull', 'the store is full')),
    );
    const words = ['checkpoint', 'web', '--name', 'x', '--wait', '-o', 'json'];
    const { code, printed, complaints } = await world.run(words);
    expect(code).toBe(1);
    expect(complaints).toContain('snapshot x is Failed (StorageFull): the store is full');
    expect(JSON.parse(printed)).toMatchObject({ status: { stage: 'Failed' } });
  });

  it('says on Ctrl-C that the capture goes on, and what can be done about it', async () => {
    const stop = new AbortController();
    await world.onceWatched(async () => stop.abort(new Error('interrupted by SIGINT')));
    const words = ['checkpoint', 'web', '--name', 'x', '--wait'];
    const { code, complaints } = await world.run(words, { signal: stop.signal });
    expect(code).toBe(130);
    expect(complaints).toContain('snapshot x goes on in the cluster.');
    expect(complaints).toContain('cryopod cancel snapshot/x -n team');
  });

  it('ends with 5 when it takes longer than --timeout', async () => {
    const words = ['checkpoint', 'web', '--name', 'x', '--wait', '--timeout', '1s'];
    const { code, complaints } = await world.run(words);
    expect(code).toBe(5);
    expect(complaints).toContain('snapshot x took longer than 1 s');
    expect(complaints).toContain('snapshot x goes on in the cluster.');
  });

  it.each([
    [
      'after it was done',
      'after',
      /snapshot x goes on in the cluster[\s\S]*was created all the same/,
    ],
    ['before it was done', 'before', /Nothing was created/],
  ] as const)(
    'finds out what became of a create whose answer was lost %s',
    async (_, when, said) => {
      world.kube[when] = ({ verb, kind }) => {
        if (verb === 'create' && kind === 'PodSnapshot') {
          throw new Failure('retry', 'ConnectionFailed', 'socket hang up');
        }
      };
      const { code, complaints } = await world.run(['checkpoint', 'web', '--name', 'x']);
      expect(code).toBe(1);
      expect(complaints).toContain('https://memory does not answer: socket hang up');
      expect(complaints).toMatch(said);
    },
  );

  it.each([
    ['a pod that is not there', ['wbe'], 3, /Pod wbe not found.*\nDid you mean web\?/],
    ['a container that is not there', ['web', '-c', 'mian'], 2, /no container mian\nIt has main/],
    ['a deadline of nothing', ['web', '--deadline', '0'], 2, /must be a time from 1 s to 604800 s/],
    [
      'an unknown policy',
      ['web', '--deletion-policy', 'Keep'],
      2,
      /Allowed choices are Delete, Retain/,
    ],
  ] as const)('refuses %s', async (_, words, expected, said) => {
    const { code, complaints } = await world.run(['checkpoint', ...words]);
    expect([code, complaints]).toEqual([expected, expect.stringMatching(said)]);
    expect(snapshots()).toEqual([]);
  });

  it('ends with 3 when the snapshot is deleted meanwhile', async () => {
    const key = { kind: kinds.podSnapshot, namespace: 'team', name: 'x' };
    await world.onceWatched(() => world.kube.delete(key, {}, new AbortController().signal));
    const { code, complaints } = await world.run(['checkpoint', 'web', '--name', 'x', '--wait']);
    expect([code, complaints]).toEqual([3, expect.stringContaining('was deleted while')]);
  });

  it('says what to install where the kind is not served', async () => {
    world.kube.before = ({ verb }) => {
      if (verb === 'create') throw new Failure('retry', 'KindNotServed', '404 page not found');
    };
    const { code, complaints } = await world.run(['checkpoint', 'web', '--name', 'x']);
    expect([code, complaints]).toEqual([1, expect.stringContaining('kubectl apply -k deploy')]);
  });

  it('says that a name is taken', async () => {
    await world.snapshot('x');
    const { code, complaints } = await world.run(['checkpoint', 'web', '--name', 'x']);
    expect(code).toBe(1);
    expect(complaints).toMatch(/already exists\nChoose another name/);
  });
});
