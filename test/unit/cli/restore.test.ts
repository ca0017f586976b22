import { beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { parsePodRestore } from '../../../core/api/pod-restore.ts';
import { CliWorld, condition, failedStatus, readyStatus } from './support/requests.ts';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.open();
  await world.snapshot('one', readyStatus);
});

const made = () => {
  const parsed = parsePodRestore(world.kube.all(kinds.podRestore)[0]);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
};
const restored = {
  ...{ phase: 'Restored', podName: 'one-again', nodeName: 'node-b', restoreMilliseconds: 400 },
  conditions: [condition('Restored', 'True', 'RestoreSucceeded')],
};

describe('cryopod restore', () => {
  it('asks for a restore with no more than was wished', async () => {
    const { code, printed } = await world.run(['restore', 'snapshot/one']);
    expect(code).toBe(0);
    expect(printed).toMatch(/^podrestore.cryopod.dev\/one-[a-z0-9]{5} created\n$/);
    expect(world.kube.all(kinds.podRestore)[0]?.spec).toEqual({
      ...{ snapshotName: 'one', deadlineSeconds: 600, maxAttempts: 3, onFailure: 'Fail' },
    });
  });

  it('passes every wish on', async () => {
    const words = [
      ...['restore', 'one', '--name', 'r', '--pod-name', 'again', '--to-node', 'node-b'],
      ...['--node-selector', 'disk=fast', '--label', 'a=b', '--annotation', 'c/d=e=f'],
      ...['--env', 'side:KEY=a=b', '--request', 'main:cpu=1', '--limit', 'main:memory=2Gi'],
      ...['--deadline', '90s', '--max-attempts', '1', '--cold-start'],
    ];
    expect((await world.run(words)).complaints).toBe('');
    expect(made().spec).toEqual({
      ...{ snapshotName: 'one', podName: 'again', deadlineSeconds: 90, maxAttempts: 1 },
      nodeSelector: { disk: 'fast', 'kubernetes.io/hostname': 'node-b' },
      overrides: {
        ...{ labels: { a: 'b' }, annotations: { 'c/d': 'e=f' } },
        env: [{ container: 'side', name: 'KEY', value: 'a=b' }],
        resources: [{ container: 'main', requests: { cpu: '1' }, limits: { memory: '2Gi' } }],
      },
      onFailure: 'ColdStart',
    });
  });

  it('waits until the pod runs again', async () => {
    await world.onceWatched(() => world.status(kinds.podRestore, 'r', restored));
    const { code, printed } = await world.run(['restore', 'one', '--name', 'r', '--wait']);
    expect(code).toBe(0);
    expect(printed).toContain('r restored as pod/one-again on node-b in 400 ms\n');
  });

  it.each([
    ['fails', [], 1],
    ['is a success, told aloud,', ['--cold-start'], 0],
  ] as const)('a cold start %s with %j', async (_, flags, expected) => {
    const message = 'the kernel is older';
    const conditions = [condition('Restored', 'False', 'StartedCold', message)];
    await world.onceWatched(() =>
      world.status(kinds.podRestore, 'r', { ...restored, phase: 'StartedCold', conditions }),
    );
    const words = ['restore', 'one', '--name', 'r', '--wait', ...flags];
    const { code, complaints } = await world.run(words);
    expect(code).toBe(expected);
    expect(complaints).toContain(message);
  });

  it('refuses a snapshot that has failed, and one that is not there', async () => {
    await world.snapshot('bad', failedStatus('StorageFull', 'full'));
    const failed = await world.run(['restore', 'bad']);
    expect([failed.code, failed.complaints]).toEqual([
      1,
      expect.stringMatching(/snapshot bad is Failed \(StorageFull\): full\nThere is nothing/),
    ]);
    const absent = await world.run(['restore', 'onee']);
    expect([absent.code, absent.complaints]).toEqual([
      3,
      expect.stringContaining('Did you mean one?'),
    ]);
    expect(world.kube.all(kinds.podRestore)).toEqual([]);
  });

  it.each([
    ['pod/web', /must be NAME or snapshot\/NAME/],
    ['one --env KEY=a', /must be CONTAINER:NAME=VALUE/],
    ['one --label a', /must be KEY=VALUE/],
    ['one --max-attempts 11', /must be a whole number from 1 to 10/],
  ])('does not take %s', async (line, said) => {
    const { code, complaints } = await world.run(['restore', ...line.split(' ')]);
    expect([code, complaints]).toEqual([2, expect.stringMatching(said)]);
  });
});
