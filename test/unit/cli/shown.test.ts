import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import { CliWorld, condition, readyStatus } from './support/requests.ts';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.open();
});

describe('cryopod list', () => {
  beforeEach(async () => {
    await world.snapshot('one', readyStatus);
    await world.snapshot('two', {
      ...{ stage: 'Waiting', nodeName: 'node-b' },
      conditions: [condition('Progressing', 'True', 'WaitingForLease', 'held by somebody')],
    });
    await world.restore('again', { phase: 'Restoring', podName: 'one-again', nodeName: 'node-b' });
    await world.create(
      kinds.dynamoCheckpoint,
      'warm',
      { job: { podTemplateSpec: {} } },
      { phase: 'Creating' },
    );
  });

  it('shows all kinds in one table', async () => {
    const { code, printed } = await world.run(['list']);
    expect(code).toBe(0);
    const lines = printed.split('\n');
    expect(lines[0]).toMatch(/^KIND +NAME +FROM +NODE +STATE +SIZE +TIME +AGE$/);
    expect(printed).toMatch(/^snapshot +one +pod\/web +node-a +Ready +512 MiB +1.0 s +\d+s$/m);
    expect(printed).toMatch(
      /^restore +again +snapshot\/one +node-b +Restoring +<none> +<none> +\d+s$/m,
    );
    expect(printed).toMatch(/^checkpoint +warm +<none> +<none> +Creating/m);
  });

  it('shows one kind with columns of its own, and why with -o wide', async () => {
    const { printed } = await world.run(['list', 'podsnap', '-o', 'wide']);
    const [heading] = printed.split('\n');
    expect(heading).toMatch(/^NAME +POD +NODE +STATE +SIZE +STORED +FREEZE +CONTENT +REASON +AGE$/);
    expect(printed).toMatch(/^two +web +node-b +Waiting .* +WaitingForLease +\d+s$/m);
    expect(printed).not.toContain('again');
  });

  it('gives programs the objects, and their names', async () => {
    const { printed } = await world.run(['list', 'snapshots,restores', '-o', 'json']);
    const list = JSON.parse(printed);
    expect([list.kind, list.items.length]).toEqual(['List', 3]);
    expect(parse((await world.run(['list', 'restores', '-o', 'yaml'])).printed)).toMatchObject({
      items: [{ kind: 'PodRestore', spec: { snapshotName: 'one' } }],
    });
    expect((await world.run(['list', 'restores', '-o', 'name'])).printed).toBe(
      'podrestore.cryopod.dev/again\n',
    );
  });

  it('says that there is nothing, in the namespace that was meant', async () => {
    const { code, printed, complaints } = await world.run(['list', '-n', 'empty']);
    expect([code, printed, complaints]).toEqual([0, '', 'Nothing found in namespace empty.\n']);
    expect((await world.run(['list', '-A'])).printed).toMatch(/^NAMESPACE +KIND/);
  });

  it('shows the other kinds when one is forbidden, and says which right is missing', async () => {
    world.kube.before = ({ verb, kind }) => {
      if (verb !== 'list' || kind !== 'PodRestore') return;
      const message =
        'podrestores.cryopod.dev is forbidden: User "eve" cannot list resource "podrestores" in API group "cryopod.dev" in the namespace "team"';
      throw new Failure('terminal', 'Forbidden', message);
    };
    const { code, printed, complaints } = await world.run(['list']);
    expect(code).toBe(4);
    expect(printed).toContain('one');
    expect(complaints).toContain(
      'The missing right is to list podrestores.cryopod.dev in namespace team: kubectl auth can-i list podrestores.cryopod.dev -n team.',
    );
  });

  it('says what to install where the kinds are not served', async () => {
    world.kube.before = () => {
      throw new Failure('retry', 'KindNotServed', '404 page not found');
    };
    const { code, complaints } = await world.run(['list', 'snapshots']);
    expect([code, complaints]).toEqual([1, expect.stringContaining('kubectl apply -k deploy')]);
  });
});

describe('cryopod describe', () => {
  it('tells all about a snapshot', async () => {
    await world.snapshot('one', { ...readyStatus, boundSnapshotContentName: 'content-one' });
    await world.create(kinds.event, 'e', {}, undefined);
    const { code, printed, complaints } = await world.run(['describe', 'one']);
    expect(code).toBe(0);
    for (const line of [
      /^State: +Ready$/m,
      /^Because: +Captured: captured$/m,
      /^Source: +pod web \(UID uid-1\)$/m,
      /^Freeze: +1.0 s$/m,
      /^Size: +512 MiB, 1.0 MiB stored$/m,
      /^freezing +1.0 s$/m,
      /^Ready +True +Captured +\d+d\S* +captured$/m,
    ]) {
      expect(printed).toMatch(line);
    }
    expect(complaints).toContain('Without its work order: ');
  });

  it('names the one thing that is waited for, with the progress', async () => {
    await world.snapshot('two', {
      stage: 'Queued',
      progress: { bytesDone: 1, bytesTotal: 4 },
      conditions: [condition('Progressing', 'True', 'Queued', 'place 2,\n1 at a time')],
    });
    const { printed } = await world.run(['describe', 'snapshot/two']);
    expect(printed).toMatch(/^Waits for: +Queued: place 2,; 1 at a time$/m);
    expect(printed).toMatch(/^Progress: +1 B of 4 B, 25 %$/m);
  });

  it('looks at the kind that may be read when the other may not', async () => {
    await world.snapshot('one', readyStatus);
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'get' && kind === 'PodRestore') {
        throw new Failure('terminal', 'Forbidden', 'cannot get');
      }
    };
    expect((await world.run(['describe', 'one'])).code).toBe(0);
    expect((await world.run(['describe', 'none'])).code).toBe(4);
  });

  it('tells why each node can or cannot take a restore', async () => {
    await world.restore('again', {
      ...{ phase: 'Scheduling', attempts: 1 },
      candidates: [
        { node: 'node-a', fits: false, reason: 'kernel 5.10 is older than 6.1' },
        { node: 'node-b', fits: true },
      ],
    });
    const { printed } = await world.run(['describe', 'again']);
    expect(printed).toMatch(/^Attempts: +1 of 3$/m);
    expect(printed).toMatch(/^node-a +no +kernel 5.10 is older than 6.1$/m);
    expect(printed).toMatch(/^node-b +yes$/m);
  });

  it('says where a name is that was meant otherwise', async () => {
    await world.create(kinds.dynamoCheckpoint, 'warm', { job: { podTemplateSpec: {} } });
    const { code, complaints } = await world.run(['describe', 'warm']);
    expect([code, complaints]).toEqual([
      3,
      expect.stringContaining('Did you mean checkpoint/warm?'),
    ]);
    expect((await world.run(['describe', 'checkpoint/warm'])).code).toBe(0);
  });
});
