import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { condition, failedStatus, readyStatus } from '../unit/cli/support/requests.ts';
import { type CliBed, openCliBed } from './cli-bed.ts';

let cli: CliBed;
beforeAll(async () => {
  cli = await openCliBed('cli');
});
afterAll(() => cli.close());

/** Runs the command line and, while it waits, writes a status as the controller would. */
async function whileWaiting(words: readonly string[], of: string, ...statuses: readonly object[]) {
  const running = cli.run(...words);
  await cli.appears(of);
  for (const status of statuses) await cli.status(of, status);
  return running;
}

describe('cryopod checkpoint', () => {
  it('is checked by the server in a dry run, and makes nothing', async () => {
    const words = ['checkpoint', 'web', '--name', 'dry', '--dry-run=server'];
    const yaml = await cli.run(...words, '-o', 'yaml');
    expect(yaml.code, yaml.complaints).toBe(0);
    expect(parse(yaml.printed).metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    const bad = await cli.run('checkpoint', 'web', '--name', 'Not_A_Name', '--dry-run=server');
    expect([bad.code, bad.complaints]).toEqual([1, expect.stringContaining('metadata.name')]);
    const client = await cli.run(
      'checkpoint',
      'web',
      '--name',
      'dry',
      '--dry-run=client',
      '-o',
      'json',
    );
    await cli.create(JSON.parse(client.printed), '--dry-run=server');
    expect((await cli.run('describe', 'snapshot/dry')).code).toBe(3);
  });

  it('follows the capture to its end', async () => {
    const words = ['checkpoint', 'pod/web', '--name', 'one', '-c', 'main', '--wait'];
    const progress = { bytesDone: 1024, bytesTotal: 4096, bytesPerSecond: 512 };
    const freezing = { stage: 'Freezing', nodeName: 'node-a', progress };
    const ran = await whileWaiting(words, 'podsnap/one', freezing, readyStatus);
    expect(ran.code, ran.complaints).toBe(0);
    expect(ran.printed).toBe(
      'podsnapshot.nvidia.com/one created\npodsnapshot.nvidia.com/one ready: 512 MiB, frozen 1.0 s\n',
    );
    expect(ran.complaints).toContain('snapshot one Pending\n');
    const { spec } = await cli.appears('podsnap/one');
    const pod = await cli.appears('pod/web');
    expect(spec.source).toEqual({
      podRef: { name: 'web', uid: pod.metadata.uid, containers: ['main'] },
    });
  });

  it('ends with 1 when the capture fails, with the object for programs', async () => {
    const words = ['checkpoint', 'web', '--name', 'bad', '--wait', '-o', 'json'];
    const ran = await whileWaiting(words, 'podsnap/bad', failedStatus('StorageFull', 'it is full'));
    expect([ran.code, ran.complaints]).toEqual([
      1,
      expect.stringContaining('snapshot bad is Failed (StorageFull): it is full'),
    ]);
    expect(JSON.parse(ran.printed).status.stage).toBe('Failed');
  });

  it('is interrupted with 130, and the capture goes on', async () => {
    const { ran, says } = cli.start(['checkpoint', 'web', '--name', 'long', '--wait']);
    await says('snapshot long Pending');
    ran.kill('SIGINT');
    const { exitCode, stderr } = await ran;
    expect(exitCode, stderr).toBe(130);
    expect(stderr).toContain('snapshot long goes on in the cluster.');
    expect((await cli.appears('podsnap/long')).spec.cancel).toBe(false);
  });
});

describe('cryopod restore', () => {
  it('makes what the server takes, and follows it', async () => {
    const words = [
      ...['restore', 'one', '--name', 'again', '--to-node', 'node-b', '--label', 'a=b'],
      ...['--env', 'side:KEY=v', '--limit', 'main:memory=2Gi', '--cold-start', '--wait'],
    ];
    const status = {
      ...{ phase: 'Restored', podName: 'one-x', nodeName: 'node-b', restoreMilliseconds: 300 },
      candidates: [{ node: 'node-a', fits: false, reason: 'the kernel is older' }],
      conditions: [condition('Restored', 'True', 'RestoreSucceeded')],
    };
    const ran = await whileWaiting(words, 'podrestore/again', status);
    expect(ran.code, ran.complaints).toBe(0);
    expect(ran.printed).toContain('again restored as pod/one-x on node-b in 300 ms\n');
    const { spec } = await cli.appears('podrestore/again');
    expect(spec).toMatchObject({
      ...{ snapshotName: 'one', onFailure: 'ColdStart' },
      nodeSelector: { 'kubernetes.io/hostname': 'node-b' },
      overrides: { resources: [{ container: 'main', limits: { memory: '2Gi' } }] },
    });
  });

  it('says what the server refuses', async () => {
    const own = ['restore', 'one', '--label', 'nvidia.com/snapshot-node=x'];
    const { code, complaints } = await cli.run(...own);
    expect([code, complaints]).toEqual([1, expect.stringContaining('labels')]);
  });
});

describe('what is there', () => {
  it('is listed in every form', async () => {
    const all = await cli.run('list');
    expect(all.code, all.complaints).toBe(0);
    expect(all.printed).toMatch(/^KIND +NAME +FROM +NODE +STATE +SIZE +TIME +AGE\n/);
    expect(all.printed).toMatch(/^snapshot +one +pod\/web +node-a +Ready +512 MiB +1.0 s +\d+s$/m);
    expect(all.printed).toMatch(
      /^restore +again +snapshot\/one +node-b +Restored +<none> +300 ms +\d+s$/m,
    );
    const wide = await cli.run('list', 'snapshots', '-A', '-o', 'wide');
    expect(wide.printed).toMatch(/^default +bad +web .* +StorageFull +\d+s$/m);
    const names = await cli.run('list', 'restores', '-o', 'name');
    expect(names.printed).toBe('podrestore.cryopod.dev/again\n');
    for (const [form, read] of [
      ['json', (text: string) => JSON.parse(text)],
      ['yaml', parse],
    ] as const) {
      const { items } = read((await cli.run('list', 'snapshots,restores', '-o', form)).printed);
      expect(items.map(({ kind }: { kind: string }) => kind)).toContain('PodRestore');
    }
    const elsewhere = await cli.run('list', '--context', 'elsewhere');
    expect(elsewhere.complaints).toBe('Nothing found in namespace kube-public.\n');
  });

  it('is described with its events', async () => {
    const { metadata } = await cli.appears('podsnap/one');
    await cli.create({
      ...{
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: 'e1', namespace: 'default' },
      },
      ...{
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'c',
        reportingInstance: 'i',
      },
      ...{ action: 'Capture', reason: 'Captured', note: 'all of it', type: 'Normal' },
      regarding: {
        apiVersion: 'nvidia.com/v1alpha1',
        kind: 'PodSnapshot',
        name: 'one',
        namespace: 'default',
        uid: metadata.uid,
      },
    });
    const snapshot = await cli.run('describe', 'one');
    expect(snapshot.code, snapshot.complaints).toBe(0);
    expect(snapshot.printed).toMatch(/^Captured +Normal +\d+d +1 +all of it$/m);
    const restore = await cli.run('describe', 'restore/again');
    expect(restore.printed).toMatch(/^node-a +no +the kernel is older$/m);
  });

  it('is offered by completion', async () => {
    const where = ['--kubeconfig', cli.kubeconfigPath];
    const offered = await cli.start(['__complete', 'restore', ...where, 'o']).ran;
    expect(offered.stdout.trim().split('\n')).toEqual(['one', ':4']);
    const spaces = await cli.start(['__complete', 'list', ...where, '-n', 'kube-p']).ran;
    expect(spaces.stdout.trim().split('\n')).toEqual(['kube-public', ':4']);
  });
});

describe('cryopod wait', () => {
  it('goes on while the API server starts again', async () => {
    await cli.run('checkpoint', 'web', '--name', 'patient', '-o', 'name');
    const { ran, says } = cli.start(['wait', 'patient']);
    await says('snapshot patient Pending');
    await cli.bed.kill('apiserver');
    await says('; trying again');
    await cli.bed.start('apiserver');
    await cli.appears('podsnap/patient');
    await cli.status('podsnap/patient', readyStatus);
    const { exitCode, stdout, stderr } = await ran;
    expect([exitCode, stdout], stderr).toEqual([0, 'podsnapshot.nvidia.com/patient ready']);
  });

  it('ends with 5 in time, with 1 for what cannot come, with 3 for what is not there', async () => {
    expect((await cli.run('wait', 'long', '--timeout', '1s')).code).toBe(5);
    expect((await cli.run('wait', 'bad')).code).toBe(1);
    const absent = await cli.run('wait', 'patiente');
    expect([absent.code, absent.complaints]).toEqual([
      3,
      expect.stringContaining('Did you mean patient'),
    ]);
    expect(
      (await cli.run('wait', 'again', '--for', 'condition=Restored', '-o', 'name')).printed,
    ).toBe('podrestore.cryopod.dev/again\n');
  });
});

describe('cryopod cancel', () => {
  it('is heard by the controller', async () => {
    const running = cli.run('cancel', 'long', '--wait');
    await cli.bed.waitFor(
      'the wish',
      async () => (await cli.appears('podsnap/long')).spec.cancel || undefined,
      20_000,
    );
    await cli.status('podsnap/long', failedStatus('Cancelled', 'as asked'));
    const { code, printed, complaints } = await running;
    expect([code, printed], complaints).toEqual([0, expect.stringContaining('long cancelled\n')]);
  });
});

describe('cryopod delete', () => {
  it('waits until the finalizers are gone', async () => {
    await cli.patch(['podsnap/one'], { metadata: { finalizers: ['nvidia.com/test'] } });
    const running = cli.run('delete', 'one', 'podrestore/again', '--wait');
    await cli.bed.waitFor(
      'the deletion',
      async () =>
        JSON.stringify(await cli.appears('podsnap/one')).includes('deletionTimestamp') || undefined,
      20_000,
    );
    expect((await cli.run('list', 'snapshots')).printed).toMatch(/^one .* Deleting /m);
    await cli.patch(['podsnap/one'], { metadata: { finalizers: [] } });
    const { code, printed, complaints } = await running;
    expect([code, printed], complaints).toEqual([
      0,
      'podsnapshot.nvidia.com/one deleted\npodrestore.cryopod.dev/again deleted\n',
    ]);
  });
});

describe('what goes wrong', () => {
  it.each([
    [['checkpoint', 'wbe'], 3, /Did you mean web\?/],
    [
      ['list', '-n', 'none', '--user', 'scheduler'],
      4,
      /The missing right is to list podsnapshots.nvidia.com in namespace none/,
    ],
    [
      ['list', '--cluster', 'nowhere'],
      1,
      /https:\/\/127.0.0.1:9 does not answer.*\nIs the cluster up/,
    ],
    [['list', '--context', 'nope'], 1, /no context nope\nName a kubeconfig/],
    [['list', '--user', 'nope'], 1, /no user nope/],
    [['list', 'pods'], 2, /must be all, or of snapshots/],
    [['explain', 'web', '--timeout', '1s'], 1, /runs on no node yet/],
  ] as const)('%j ends with %d and says what to do', async (words, expected, said) => {
    const { code, complaints } = await cli.run(...words);
    expect([code, complaints]).toEqual([expected, expect.stringMatching(said)]);
  });

  it('names what to install where the kinds are not served', async () => {
    await cli.bed.kubectl(['delete', 'crd', 'snapshotjobs.nvidia.com']);
    const ran = await cli.bed.waitFor(
      'the kind not to be served',
      async () => {
        const once = await cli.run('list', 'jobs');
        return once.code === 0 ? undefined : once;
      },
      20_000,
    );
    expect([ran.code, ran.complaints]).toEqual([
      1,
      expect.stringContaining('Cryopod is not installed in this cluster'),
    ]);
  });
});
