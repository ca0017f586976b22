import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiVersion, labels } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  administrator,
  admissionWorld,
  asUser,
  controller,
} from './admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await admissionWorld('admission-snapjob');
  const { allow } = world;
  const making = 'create,update,patch,delete nvidia.com:snapshotjobs';
  await allow('outsider', 'team', making);
  await allow('looker', 'team', making, 'create pods/exec');
  await allow('runner', 'team', making, 'create pods');
  await allow('developer', 'team', making, 'create pods', 'create pods/exec');
  await allow('forger', '', 'patch nvidia.com:snapshotjobs/status');
});
afterAll(() => world.end());

/** A SnapshotJob in the namespace `team`; `template` is added to its pod template. */
const snapshotJobObject = (name: string, template: object = {}): object => ({
  apiVersion,
  kind: 'SnapshotJob',
  metadata: { name, namespace: 'team' },
  spec: {
    podSnapshotTemplate: {},
    podTemplate: { ...template, spec: { containers: [{ name: 'main', image: 'a:b' }] } },
  },
});

describe('creating a SnapshotJob', () => {
  it.each([
    ['outsider', 'create pods in namespace team'],
    ['looker', 'create pods in namespace team'],
    ['runner', 'create pods/exec in namespace team'],
  ])('is refused to the %s, who may not %s', async (user, right) => {
    await expect(world.create(asUser(user), snapshotJobObject('no'))).rejects.toThrow(
      `${user} needs the right to ${right}`,
    );
  });

  it('is granted to the developer, who may do both', async () => {
    await world.create(asUser('developer'), snapshotJobObject('granted'));
  });

  it('takes no pod template that passes the gate by itself', async () => {
    const template = { metadata: { labels: { [labels.captureEligible]: 'true' } } };
    await expect(
      world.create(asUser('developer'), snapshotJobObject('gated', template)),
    ).rejects.toThrow('leave it out of the pod template');
  });
});

it('the status of a SnapshotJob is written by the controller alone', async () => {
  await world.create(asUser('developer'), snapshotJobObject('status'));
  const of = ['snapshotjob', 'status', '-n', 'team', '--subresource=status'];
  const body = { status: { sourceJobUID: 'forged' } };
  for (const who of [asUser('forger'), administrator]) {
    await expect(world.patch(who, of, body)).rejects.toThrow('the Cryopod controller only');
  }
  await world.patch(asUser(controller), of, body);
});
