import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { annotations, extensionApiVersion, labels } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  administrator,
  admissionWorld,
  asUser,
  controller,
  placedPod,
  podObject,
} from './admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await admissionWorld('admission-restore');
  const { allow } = world;
  const making = 'create,delete cryopod.dev:podrestores';
  await allow('outsider', 'team', making);
  await allow('developer', 'team', making, 'create,delete,patch,get pods', 'patch pods/status');
  await allow('forger', '', 'patch cryopod.dev:podrestores/status');
});
afterAll(() => world.end());

const restoreObject = (name: string): object => ({
  apiVersion: extensionApiVersion,
  kind: 'PodRestore',
  metadata: { name, namespace: 'team' },
  spec: { snapshotName: 'one' },
});
const marked = { labels: { [labels.restoreUID]: 'of-a-restore' } };

describe('creating a PodRestore', () => {
  it('is refused to the outsider, who may not create pods', async () => {
    await expect(world.create(asUser('outsider'), restoreObject('no'))).rejects.toThrow(
      'outsider needs the right to create pods in namespace team',
    );
  });

  it('is granted to the developer, who may', async () => {
    await world.create(asUser('developer'), restoreObject('granted'));
  });
});

it('the status of a PodRestore is written by the controller alone', async () => {
  await world.create(asUser('developer'), restoreObject('status'));
  const of = ['podrestore', 'status', '-n', 'team', '--subresource=status'];
  const body = { status: { phase: 'Restored' } };
  for (const who of [asUser('forger'), administrator]) {
    await expect(world.patch(who, of, body)).rejects.toThrow('the Cryopod controller only');
  }
  await world.patch(asUser(controller), of, body);
});

describe('the pod of a PodRestore', () => {
  it('is marked by the controller alone', async () => {
    const forged = podObject('forged', 'team', marked);
    await expect(world.create(asUser('developer'), forged)).rejects.toThrow(
      'belongs to the Cryopod controller',
    );
    await world.create(asUser(controller), podObject('made', 'team', marked));
    for (const value of [null, 'of-another']) {
      const body = { metadata: { labels: { [labels.restoreUID]: value } } };
      const of = ['pod', 'made', '-n', 'team'];
      await expect(world.patch(asUser('developer'), of, body)).rejects.toThrow('leave it as it is');
    }
  });

  it('is the only sort of pod that the controller makes and removes', async () => {
    await expect(world.create(asUser(controller), podObject('plain', 'team'))).rejects.toThrow(
      'with the label nvidia.com/restore-uid only',
    );
    await world.create(asUser('developer'), podObject('web', 'team'));
    const remove = (name: string) =>
      world.kubectl(asUser(controller), ['delete', 'pod', name, '-n', 'team', '--wait=false']);
    await expect(remove('web')).rejects.toThrow('with the label nvidia.com/restore-uid only');
    await world.create(asUser(controller), podObject('marked', 'team', marked));
    // kubectl names no UID.
    await expect(remove('marked')).rejects.toThrow('by its UID only');
  });

  it.each([
    [annotations.restoreFromUID, 'another'],
    [annotations.restoreMaximumAttempts, '100'],
    [annotations.startedCold, 'not at all'],
  ])('keeps its annotation %s', async (annotation, value) => {
    const name = `kept-${value.replaceAll(' ', '-')}`;
    await world.create(asUser('developer'), podObject(name, 'team'));
    const body = { metadata: { annotations: { [annotation]: value } } };
    await expect(
      world.patch(asUser('developer'), ['pod', name, '-n', 'team'], body),
    ).rejects.toThrow('is set when the pod is created and never changed');
  });

  it('has its figures from the agent of its node', async () => {
    await world.create(asUser('developer'), placedPod('figures', 'team', 'node-a'));
    const of = ['pod', 'figures', '-n', 'team', '--subresource=status'];
    const one = {
      type: 'nvidia.com/RestoreProgress',
      status: 'True',
      reason: 'Figures',
      message: '{"attempts":1}',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const body = { status: { conditions: [one] } };
    await expect(world.patch(asUser('developer'), of, body)).rejects.toThrow(
      'belongs to the agent of the pod',
    );
    await expect(world.patch(await world.agentOf('node-b'), of, body)).rejects.toThrow(
      'which belongs to node node-a',
    );
    await world.patch(await world.agentOf('node-a'), of, body);
  });
});
