import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  agentLeaseName,
  annotations,
  captureLeaseName,
  contentName,
  controllerLeaseName,
  finalizers,
  labels,
  sweepLeaseName,
  systemNamespace,
} from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  type Asker,
  administrator,
  admissionWorld,
  agent,
  asUser,
  controller,
  importedContent,
  orderObject,
  placedPod,
  snapshotObject,
} from './admission-world.ts';

let world: AdmissionWorld;
let agentA: Asker;
let agentB: Asker;
let unbound: Asker;
beforeAll(async () => {
  world = await admissionWorld('admission-agents');
  agentA = await world.agentOf('node-a');
  agentB = await world.agentOf('node-b');
  unbound = await world.unboundAgent();
  await world.create(asUser(controller), orderObject('order', 'node-a'));
  await world.create(asUser(controller), snapshotObject('order', 'team'));
  const metadata = { labels: { app: 'web' }, annotations: { note: 'kept' } };
  await world.create(administrator, {
    ...placedPod('web', 'team', 'node-a'),
    metadata: { name: 'web', namespace: 'team', ...metadata },
  });
});
afterAll(() => world.end());

const notBound = 'the token is not bound to a node';

it('a token that is bound to a pod says which node it is for', async () => {
  const said = await world.kubectl(agentA, ['auth', 'whoami', '-o', 'json']);
  expect(JSON.parse(said).status.userInfo).toMatchObject({
    username: agent,
    extra: {
      'authentication.kubernetes.io/node-name': ['node-a'],
      'authentication.kubernetes.io/pod-name': ['cryopod-agent-node-a'],
    },
  });
});

describe('the status of a content', () => {
  const of = ['podsnapshotcontent', contentName('order'), '--subresource=status'];
  const body = { status: { stage: 'Gating' } };
  const route = (name: string, node: string) =>
    world.patch(asUser(controller), ['podsnapshotcontent', name], {
      metadata: { labels: { [labels.node]: node } },
    });

  it('is written by the agent of its node', async () => {
    await world.patch(agentA, of, body);
  });

  it('is not written by the agent of another node', async () => {
    await expect(world.patch(agentB, of, body)).rejects.toThrow(
      `the agent of node node-b may not write the status of ${contentName('order')}, which belongs to node node-a`,
    );
  });

  it('is not written with a token that is bound to no node', async () => {
    await expect(world.patch(unbound, of, body)).rejects.toThrow(notBound);
    await expect(world.patch(asUser(agent), of, body)).rejects.toThrow(notBound);
  });

  it('is judged by the node in the token, however the token is come by', async () => {
    const extra = (node: string) =>
      asUser(agent, `--as-user-extra=authentication.kubernetes.io/node-name=${node}`);
    await world.patch(extra('node-a'), of, body);
    await expect(world.patch(extra('node-b'), of, body)).rejects.toThrow('belongs to node node-a');
  });

  it('of an imported content is no agent’s until the controller gives it to one', async () => {
    await world.create(administrator, importedContent('imported'));
    const imported = ['podsnapshotcontent', 'imported', '--subresource=status'];
    await expect(world.patch(agentA, imported, body)).rejects.toThrow('belongs to node (none)');
    await route('imported', 'node-b');
    await expect(world.patch(agentA, imported, body)).rejects.toThrow('belongs to node node-b');
    await world.patch(agentB, imported, body);
  });

  it('of a deleted content is of the agent that the controller gave its bytes to, and no longer of the first', async () => {
    const metadata = { labels: { [labels.node]: 'node-a' }, finalizers: [finalizers.content] };
    await world.create(asUser(controller), orderObject('dying', 'node-a', metadata));
    const dying = ['podsnapshotcontent', contentName('dying'), '--subresource=status'];
    await route(contentName('dying'), 'node-b');
    await expect(world.patch(agentB, dying, body)).rejects.toThrow('belongs to node node-a');
    await world.kubectl(asUser(controller), ['delete', ...dying.slice(0, 2), '--wait=false']);
    await world.patch(agentB, dying, body);
    await expect(world.patch(agentA, dying, body)).rejects.toThrow('belongs to node node-b');
  });
});

describe('more rights than an agent should have', () => {
  // As if somebody had bound a wide role to the agents' service account.
  beforeAll(() =>
    world.allow(
      agent,
      '',
      'create,update,patch,delete nvidia.com:podsnapshotcontents',
      'create,patch,delete nvidia.com:podsnapshots',
      'create,delete,patch pods',
      'patch pods/status',
      'create pods/exec',
      'create,patch,delete coordination.k8s.io:leases',
    ),
  );

  it('give it no order and no snapshot', async () => {
    const refusal = 'an agent may write nothing of these kinds but podsnapshotcontents/status';
    await expect(world.create(agentA, importedContent('own'))).rejects.toThrow(refusal);
    await expect(world.create(agentA, snapshotObject('own', 'team'))).rejects.toThrow(refusal);
    const content = ['podsnapshotcontent', contentName('order')];
    await expect(world.patch(agentA, content, { spec: { cancel: true } })).rejects.toThrow(refusal);
    await expect(world.kubectl(agentA, ['delete', ...content])).rejects.toThrow(refusal);
    const snapshot = ['podsnapshot', 'order', '-n', 'team'];
    await expect(world.patch(agentA, snapshot, { spec: { cancel: true } })).rejects.toThrow(
      refusal,
    );
  });

  it('give it no pod, and no deletion of one', async () => {
    const refusal = 'an agent may change nothing of a pod but';
    await expect(world.create(agentA, placedPod('own', 'team', 'node-a'))).rejects.toThrow(refusal);
    await expect(world.kubectl(agentA, ['delete', 'pod', 'web', '-n', 'team'])).rejects.toThrow(
      'only while it wears the label nvidia.com/snapshot-capture-eligible',
    );
    const all = ['delete', 'pods', '--all', '-n', 'team'];
    await expect(world.kubectl(agentA, all)).rejects.toThrow();
    const exec = ['create', '--raw', '/api/v1/namespaces/team/pods/web/exec?command=id', '-f', '-'];
    await expect(world.kubectl(agentA, exec, {})).rejects.toThrow(refusal);
  });

  it('give it of a pod’s status the condition of a restore, on its node', async () => {
    const of = ['pod', 'web', '-n', 'team', '--subresource=status'];
    const body = { status: { conditions: [{ type: 'nvidia.com/Restored', status: 'True' }] } };
    await expect(world.patch(agentB, of, body)).rejects.toThrow('which belongs to node node-a');
    await world.patch(agentA, of, body);
    for (const status of [
      { phase: 'Failed' },
      { podIPs: [{ ip: '198.18.0.9' }] },
      { conditions: [{ type: 'Ready', status: 'True' }] },
    ]) {
      await expect(world.patch(agentA, of, { status })).rejects.toThrow(
        'nothing of the status of a pod but the condition nvidia.com/Restored',
      );
    }
    const kubelet = asUser('system:node:node-a', '--as-group=system:nodes');
    await world.patch(kubelet, of, { status: { conditions: [] } });
  });

  it('give it no lease outside the system namespace, and no deletion of one', async () => {
    const lease = leaseObject('podsnapshot-elsewhere', 'cryopod-agent-node-a-1', 'team');
    await expect(world.create(agentA, lease)).rejects.toThrow('in the namespace cryopod-system');
    await world.create(agentA, leaseObject('podsnapshot-deleted', 'cryopod-agent-node-a-1'));
    const of = ['lease', 'podsnapshot-deleted', '-n', systemNamespace];
    await expect(world.kubectl(agentA, ['delete', ...of])).rejects.toThrow('do nothing else');
  });
});

describe('a pod', () => {
  const of = ['pod', 'web', '-n', 'team'];
  const label = (value: string | null) => ({
    metadata: { labels: { [labels.captureEligible]: value } },
  });

  it('is labelled, and its label taken off, by the agent of its node', async () => {
    await world.patch(agentA, of, label('true'));
    await world.patch(agentA, of, label(null));
  });

  it('is not labelled by the agent of another node, nor by one that is bound to none', async () => {
    await expect(world.patch(agentB, of, label('true'))).rejects.toThrow(
      'the agent of node node-b may not change pod team/web, which belongs to node node-a',
    );
    await expect(world.patch(unbound, of, label('true'))).rejects.toThrow(notBound);
  });

  it('that took the name of the one meant is known by its UID, as without policies', async () => {
    await world.create(administrator, placedPod('successor', 'team', 'node-b'));
    const body = { metadata: { uid: 'predecessor', labels: { [labels.captureEligible]: null } } };
    await expect(world.patch(agentA, ['pod', 'successor', '-n', 'team'], body)).rejects.toThrow(
      'metadata.uid: Invalid value',
    );
  });

  it('is not labelled with any other word', async () => {
    await expect(world.patch(agentA, of, label('maybe'))).rejects.toThrow('"true" or absent');
  });

  it.each([
    ['another label', { metadata: { labels: { app: 'other' } } }, 'no label of a pod but'],
    ['one label less', { metadata: { labels: { app: null } } }, 'no label of a pod but'],
    ['a new label', { metadata: { labels: { extra: 'x' } } }, 'no label of a pod but'],
    ['an annotation', { metadata: { annotations: { note: 'x' } } }, 'may not change the spec'],
    ['a finalizer', { metadata: { finalizers: ['example.com/x'] } }, 'may not change the spec'],
    ['a deadline', { spec: { activeDeadlineSeconds: 5 } }, 'may not change the spec'],
  ])('keeps everything else: %s', async (_what, body, words) => {
    await expect(world.patch(agentA, of, body)).rejects.toThrow(words);
  });
});

it('an agent changes no image and nothing of what a pod is restored from', async () => {
  const image = ['set', 'image', 'pod/web', 'main=cryopod.dev/other:dev', '-n', 'team'];
  await expect(world.kubectl(agentA, image)).rejects.toThrow('may not change the spec');
  const metadata = { annotations: { [annotations.restoreFrom]: 'x' } };
  await expect(world.patch(agentA, ['pod', 'web', '-n', 'team'], { metadata })).rejects.toThrow(
    /never changed|may not change the spec/,
  );
});

const leaseObject = (
  name: string,
  holder: string,
  namespace: string = systemNamespace,
): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace },
  spec: { holderIdentity: holder, leaseDurationSeconds: 30 },
});

describe('a lease', () => {
  const of = (name: string) => ['lease', name, '-n', systemNamespace];
  const holder = (holderIdentity: string) => ({ spec: { holderIdentity } });
  const holderA = 'cryopod-agent-node-a-1a2b3c4d';
  const holderB = 'cryopod-agent-node-b-5e6f7a8b';

  it('is an agent’s own heartbeat', async () => {
    await world.create(agentA, leaseObject(agentLeaseName('node-a'), holderA));
    await world.patch(agentA, of(agentLeaseName('node-a')), { spec: { leaseDurationSeconds: 31 } });
  });

  it('is never the heartbeat of another node, nor the controller’s', async () => {
    for (const name of [agentLeaseName('node-a'), controllerLeaseName]) {
      await expect(world.create(agentB, leaseObject(name, holderB))).rejects.toThrow(
        `may write the leases cryopod-agent-node-b, podsnapshot-... and cryopod-sweep-... only, not ${name}`,
      );
    }
  });

  it('of the sweep of a store is taken and given back in the agent’s own name', async () => {
    const name = sweepLeaseName('a-store');
    await world.create(agentA, leaseObject(name, holderA));
    await expect(world.patch(agentB, of(name), holder(''))).rejects.toThrow('own pod only');
    await world.patch(agentA, of(name), holder(''));
    await world.patch(agentB, of(name), holder(holderB));
  });

  it('of a capture is taken, renewed, given back and taken over, each in the agent’s own name', async () => {
    const name = captureLeaseName('order');
    await world.create(agentA, leaseObject(name, holderA));
    await world.patch(agentA, of(name), { spec: { leaseDurationSeconds: 31 } });
    const own = 'in the name of its own pod only';
    // Neither a renewal of what another holds, nor setting it free, nor holding it in the other's name.
    for (const body of [{ spec: { leaseDurationSeconds: 32 } }, holder('')]) {
      await expect(world.patch(agentB, of(name), body)).rejects.toThrow(own);
    }
    await expect(
      world.create(agentB, leaseObject(captureLeaseName('other'), holderA)),
    ).rejects.toThrow(own);
    await world.patch(agentA, of(name), holder(''));
    await world.patch(agentB, of(name), holder(holderB));
  });

  it('that was lost is a conflict to who held it, as without policies, and no refusal', async () => {
    const name = captureLeaseName('lost');
    const { metadata } = await world.create(agentA, leaseObject(name, holderA));
    await world.patch(agentA, of(name), holder(''));
    await world.patch(agentB, of(name), holder(holderB));
    const { resourceVersion } = metadata;
    const renewal = { metadata: { resourceVersion }, spec: { leaseDurationSeconds: 31 } };
    await expect(world.patch(agentA, of(name), renewal)).rejects.toThrow('(Conflict)');
  });

  it('is not written with a token that is bound to nothing', async () => {
    await expect(
      world.create(unbound, leaseObject(captureLeaseName('unbound'), holderA)),
    ).rejects.toThrow('the token is not bound to a node and a pod');
  });
});
