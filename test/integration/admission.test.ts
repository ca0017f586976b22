import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annotations, contentName, finalizers, labels } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  administrator,
  admissionWorld,
  agent,
  asUser,
  checkpointObject,
  controller,
  importedContent,
  orderObject,
  podObject,
  snapshotObject,
} from './admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await admissionWorld('admission-users');
  const { allow } = world;
  const kinds = [
    'create,update,patch,delete nvidia.com:podsnapshots',
    'create,update,patch,delete nvidia.com:dynamocheckpoints',
  ] as const;
  await allow('outsider', 'team', ...kinds);
  await allow('looker', 'team', ...kinds, 'create pods/exec');
  await allow('runner', 'team', ...kinds, 'create,update,patch pods');
  const developer = [...kinds, 'create,update,patch pods', 'create pods/exec'] as const;
  await allow('developer', 'team', ...developer, 'patch pods/status', 'create pods/binding');
  await allow('owner', 'team', ...developer, 'delete pods');
  await allow('mender', 'team', ...kinds, 'update nvidia.com:podsnapshots/finalizers');
  await allow('stranger', 'default', ...developer, 'delete pods');
  const contents = 'create,update,patch,delete nvidia.com:podsnapshotcontents';
  await allow('provider', '', contents);
  await allow('keeper', '', contents, 'update nvidia.com:podsnapshotcontents/finalizers');
  await allow(
    'forger',
    '',
    'patch nvidia.com:podsnapshots/status',
    'patch nvidia.com:podsnapshotcontents/status',
    'patch nvidia.com:dynamocheckpoints/status',
  );
});
afterAll(() => world.end());

const terminate = { afterCapture: 'Terminate' };

describe('creating a PodSnapshot', () => {
  it.each(['outsider', 'runner'])('is refused to the %s, who may not exec', async (user) => {
    const creating = world.create(asUser(user), snapshotObject('no-exec', 'team'));
    await expect(creating).rejects.toThrow(
      `${user} needs the right to create pods/exec in namespace team`,
    );
  });

  it.each(['looker', 'developer', 'owner'])('is granted to the %s, who may', async (user) => {
    await world.create(asUser(user), snapshotObject(`of-${user}`, 'team'));
  });

  it('is refused where the right holds for another namespace only', async () => {
    await world.allow('traveller', 'team', 'create nvidia.com:podsnapshots');
    await world.allow('traveller', 'default', 'create pods/exec');
    const creating = world.create(asUser('traveller'), snapshotObject('elsewhere', 'team'));
    await expect(creating).rejects.toThrow('create pods/exec in namespace team');
  });

  it('asks for delete pods where the pod is to be terminated', async () => {
    const ending = (name: string) => snapshotObject(name, 'team', {}, terminate);
    await expect(world.create(asUser('developer'), ending('ends'))).rejects.toThrow(
      'developer needs the right to delete pods in namespace team',
    );
    await world.create(asUser('owner'), ending('ends-by-owner'));
  });

  it('asks the controller nothing, and the administrator nothing that he has not', async () => {
    await world.create(asUser(controller), snapshotObject('by-controller', 'team', {}, terminate));
    await world.create(administrator, snapshotObject('by-administrator', 'team', {}, terminate));
  });

  it.each([labels.owner, labels.jobUID])('takes no label %s from a user', async (label) => {
    const marked = snapshotObject('marked', 'team', { labels: { [label]: 'x' } });
    await expect(world.create(asUser('owner'), marked)).rejects.toThrow('belong to the controller');
  });
});

describe('changing a PodSnapshot', () => {
  const of = ['podsnapshot', 'changed', '-n', 'team'];
  beforeAll(async () => {
    const metadata = { finalizers: [finalizers.snapshot], labels: { [labels.owner]: 'x' } };
    await world.create(asUser(controller), snapshotObject('changed', 'team', metadata));
  });

  it('lets a user cancel and label it', async () => {
    const body = { metadata: { labels: { mine: 'yes' } }, spec: { cancel: true } };
    await world.patch(asUser('outsider'), of, body);
  });

  it('keeps the labels of the controller', async () => {
    for (const value of ['another', null]) {
      const body = { metadata: { labels: { [labels.owner]: value } } };
      await expect(world.patch(asUser('owner'), of, body)).rejects.toThrow(
        'belong to the controller',
      );
    }
  });

  it('keeps the finalizer, unless somebody may mend finalizers', async () => {
    const body = { metadata: { finalizers: null } };
    await expect(world.patch(asUser('owner'), of, body)).rejects.toThrow(
      'needs the right to update podsnapshots/finalizers',
    );
    await world.patch(asUser('mender'), of, body);
  });
});

describe('creating a DynamoCheckpoint', () => {
  it.each([
    ['outsider', 'create pods in namespace team'],
    ['looker', 'create pods in namespace team'],
    ['runner', 'create pods/exec in namespace team'],
  ])('is refused to the %s, who may not %s', async (user, right) => {
    await expect(world.create(asUser(user), checkpointObject('no'))).rejects.toThrow(
      `${user} needs the right to ${right}`,
    );
  });

  it('is granted to the developer, who may do both', async () => {
    await world.create(asUser('developer'), checkpointObject('granted'));
  });

  it('takes no pod template that passes the gate by itself', async () => {
    const template = { metadata: { labels: { [labels.captureEligible]: 'true' } } };
    await expect(
      world.create(asUser('developer'), checkpointObject('gated', template)),
    ).rejects.toThrow('leave it out of the pod template');
  });
});

describe('PodSnapshotContents', () => {
  it('are not for users without the right of RBAC', async () => {
    await expect(world.create(asUser('owner'), importedContent('no-right'))).rejects.toThrow(
      'cannot create resource "podsnapshotcontents"',
    );
  });

  it('are provided for existing artifacts by who has it', async () => {
    await world.create(asUser('provider'), importedContent('provided'));
    await world.kubectl(asUser('provider'), ['delete', 'podsnapshotcontent', 'provided']);
  });

  it('for an artifact may say which node has it', async () => {
    await world.create(asUser('provider'), importedContent('placed', {}, 'node-a'));
    await world.kubectl(asUser('provider'), ['delete', 'podsnapshotcontent', 'placed']);
  });

  it.each(['provider', 'keeper'])('are no way for a %s to order a capture', async (user) => {
    await expect(world.create(asUser(user), orderObject('order', 'node-a', {}))).rejects.toThrow(
      'an order to capture is given by the Cryopod controller only',
    );
  });

  it('carry the marks of the controller from the controller only', async () => {
    const routed = importedContent('routed', { labels: { [labels.node]: 'node-a' } });
    await expect(world.create(asUser('keeper'), routed)).rejects.toThrow(
      'belongs to the controller',
    );
  });

  it('keep those marks, unless somebody may mend finalizers', async () => {
    const metadata = { labels: { [labels.node]: 'node-a' }, finalizers: [finalizers.content] };
    await world.create(asUser(controller), orderObject('kept', 'node-a', metadata));
    const of = ['podsnapshotcontent', contentName('kept')];
    await world.patch(asUser('provider'), of, { spec: { deletionPolicy: 'Retain' } });
    const changes = [{ labels: { [labels.node]: 'node-b' } }, { finalizers: [] }];
    for (const change of changes) {
      await expect(world.patch(asUser('provider'), of, { metadata: change })).rejects.toThrow(
        'needs the right to update podsnapshotcontents/finalizers',
      );
      await world.patch(asUser('keeper'), of, { metadata: change });
    }
  });
});

describe('a status', () => {
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'Captured',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  beforeAll(async () => {
    await world.create(asUser(controller), snapshotObject('status', 'team'));
    await world.create(asUser(controller), orderObject('status', 'node-a'));
    await world.create(asUser('developer'), checkpointObject('status'));
  });

  it.each([
    ['podsnapshot', 'status', ['-n', 'team'], 'the Cryopod controller only'],
    ['podsnapshotcontent', contentName('status'), [], 'the agent of its node only'],
    ['dynamocheckpoint', 'status', ['-n', 'team'], 'the Cryopod controller only'],
  ])('of a %s is written by no user', async (kind, name, where, writer) => {
    const of = [kind, name, ...where, '--subresource=status'];
    const body = { status: { conditions: [condition] } };
    for (const who of [asUser('forger'), administrator]) {
      await expect(world.patch(who, of, body)).rejects.toThrow(writer);
    }
    await world.patch(asUser(controller), of, body);
  });
});

describe('a pod', () => {
  const eligible = { labels: { [labels.captureEligible]: 'true' } };
  const restoring = { annotations: { [annotations.restoreFrom]: 'first' } };
  const restored = (status: string) => ({
    status: { conditions: [{ type: 'nvidia.com/Restored', status }] },
  });
  const developer = asUser('developer');

  it('gets the eligible label from nobody but an agent', async () => {
    const refusal = "belongs to the agent of the pod's node";
    await expect(world.create(developer, podObject('born', 'team', eligible))).rejects.toThrow(
      refusal,
    );
    await world.create(developer, podObject('plain', 'team'));
    const of = ['pod', 'plain', '-n', 'team'];
    for (const who of [developer, administrator, asUser(controller)]) {
      const words = who[0] === `--as=${controller}` ? 'cannot patch resource "pods"' : refusal;
      await expect(world.patch(who, of, { metadata: eligible })).rejects.toThrow(words);
    }
    await world.patch(developer, of, { metadata: { labels: { other: 'yes' } } });
    const status = [...of, '--subresource=status'];
    await expect(world.patch(developer, status, { metadata: eligible })).rejects.toThrow(refusal);
  });

  it('says when it is made what it is restored from, and never again', async () => {
    const refusal = 'is set when the pod is created and never changed';
    await world.create(developer, podObject('restoring', 'team', restoring));
    await world.create(developer, podObject('running', 'team'));
    const changes = [
      ['restoring', 'second'],
      ['restoring', null],
      ['running', 'first'],
    ] as const;
    for (const [name, snapshot] of changes) {
      const metadata = { annotations: { [annotations.restoreFrom]: snapshot } };
      for (const part of ['', 'status']) {
        const of = ['pod', name, '-n', 'team', `--subresource=${part}`];
        await expect(world.patch(developer, of, { metadata })).rejects.toThrow(refusal);
      }
    }
    await world.patch(developer, ['pod', 'restoring', '-n', 'team'], {
      metadata: { annotations: { other: 'yes' } },
    });
  });

  it('gets neither by way of a binding', async () => {
    await world.create(developer, podObject('bound', 'team'));
    const path = '/api/v1/namespaces/team/pods/bound/binding';
    const binding = (metadata: object): object => ({
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'bound', ...metadata },
      target: { apiVersion: 'v1', kind: 'Node', name: 'node-a' },
    });
    const bind = (metadata: object) =>
      world.kubectl(developer, ['create', '--raw', path, '-f', '-'], binding(metadata));
    await expect(bind(restoring)).rejects.toThrow('never changed');
    await expect(bind(eligible)).rejects.toThrow('leave it out');
    await bind({});
  });

  it('is called restored by no user, and keeps its other ways', async () => {
    await world.create(developer, podObject('restored', 'team'));
    const of = ['pod', 'restored', '-n', 'team', '--subresource=status'];
    for (const who of [developer, administrator]) {
      await expect(world.patch(who, of, restored('True'))).rejects.toThrow(
        'the condition nvidia.com/Restored belongs to the agent',
      );
    }
    await world.patch(developer, of, { status: { message: 'something else' } });
  });

  it('is not touched by one who calls himself an agent and has no token of one', async () => {
    const of = ['pod', 'plain', '-n', 'team'];
    await expect(world.patch(asUser(agent), of, { metadata: eligible })).rejects.toThrow(
      'the token is not bound to a node',
    );
  });
});
