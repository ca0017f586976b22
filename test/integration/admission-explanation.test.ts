import { afterAll, beforeAll, expect, it } from 'vitest';
import { extensionApiVersion } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  type Asker,
  admissionWorld,
  agent,
  asUser,
} from './admission-world.ts';

const plural = 'podsnapshotexplanations.cryopod.dev';
const rule = 'create,patch,delete cryopod.dev:podsnapshotexplanations';

let world: AdmissionWorld;
let agentA: Asker;
let agentB: Asker;
beforeAll(async () => {
  world = await admissionWorld('admission-explain');
  agentA = await world.agentOf('node-a');
  agentB = await world.agentOf('node-b');
  await world.allow('ann', 'team', rule, 'create pods/exec');
  await world.allow('ben', 'team', rule, 'patch cryopod.dev:podsnapshotexplanations/status');
});
afterAll(() => world.end());

const explanation = (name: string): object => ({
  apiVersion: extensionApiVersion,
  kind: 'PodSnapshotExplanation',
  metadata: { name, namespace: 'team' },
  spec: { nodeName: 'node-a', podRef: { name: 'web', uid: 'one', containers: ['main'] } },
});
const answer = { status: { answer: 'Capturable' } };
const statusOf = (name: string) => [plural, name, '-n', 'team', '--subresource=status'];

it('is asked by who may exec into the pods of the namespace, and by nobody else', async () => {
  await world.create(asUser('ann'), explanation('asked'));
  await expect(world.create(asUser('ben'), explanation('not'))).rejects.toThrow(
    'to create one, ben needs the right to create pods/exec in namespace team',
  );
});

it('is answered by the agent of its node only', async () => {
  await expect(world.patch(agentB, statusOf('asked'), answer)).rejects.toThrow(
    'answer and remove explanations of its own node only',
  );
  await expect(world.patch(asUser('ben'), statusOf('asked'), answer)).rejects.toThrow(
    'answered by the agent of its node only',
  );
  await world.patch(agentA, statusOf('asked'), answer);
});

it('keeps its question', async () => {
  const of = [plural, 'asked', '-n', 'team'];
  await expect(
    world.patch(asUser('ann'), of, { spec: { podRef: { name: 'other' } } }),
  ).rejects.toThrow('spec is immutable');
});

it('is found by the node it is for', async () => {
  const words = ['get', plural, '-n', 'team', '-o', 'name', '--field-selector'];
  expect(await world.kubectl(agentA, [...words, 'spec.nodeName=node-a'])).toContain('/asked');
  expect(await world.kubectl(agentA, [...words, 'spec.nodeName=node-b'])).toBe('');
});

it('is removed by the agent of its node, which makes none itself', async () => {
  const remove = ['delete', plural, 'asked', '-n', 'team', '--wait=false'];
  await expect(world.kubectl(agentB, remove)).rejects.toThrow(
    'answer and remove explanations of its own node only',
  );
  await world.kubectl(agentA, remove);
  const rights = ['create cryopod.dev:podsnapshotexplanations', 'create pods/exec'] as const;
  await world.allow(agent, 'team', ...rights);
  await expect(world.create(agentA, explanation('own'))).rejects.toThrow('may write nothing');
});
