import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labels } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  type Asker,
  administrator,
  admissionWorld,
  placedPod,
} from './admission-world.ts';

let world: AdmissionWorld;
let agentA: Asker;
let agentB: Asker;
let unbound: Asker;
beforeAll(async () => {
  world = await admissionWorld('admission-agent-delete');
  agentA = await world.agentOf('node-a');
  agentB = await world.agentOf('node-b');
  unbound = await world.unboundAgent();
});
afterAll(() => world.end());

describe('a pod that a snapshot ends', () => {
  /** As the agent asks: by UID, which kubectl cannot say. */
  const remove = (who: Asker, name: string, uid?: string): Promise<string> => {
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
    const path = `/api/v1/namespaces/team/pods/${name}`;
    return world.kubectl(who, ['delete', '--raw', path, '-f', '-'], options);
  };
  const pod = async (name: string, eligible: boolean): Promise<string> => {
    const { metadata } = await world.create(administrator, placedPod(name, 'team', 'node-a'));
    const marked = { metadata: { labels: { [labels.captureEligible]: 'true' } } };
    if (eligible) await world.patch(agentA, ['pod', name, '-n', 'team'], marked);
    return metadata.uid;
  };

  it('is deleted by the agent of its node, by its UID, once it was labelled', async () => {
    const uid = await pod('ended', true);
    await remove(agentA, 'ended', uid);
    const gone = ['get', 'pod', 'ended', '-n', 'team', '--ignore-not-found', '-o', 'name'];
    expect(await world.kubectl(administrator, gone)).toMatch(/^(pod\/ended)?\s*$/);
  });

  it('is not deleted without the label, without a UID, or under another one', async () => {
    await expect(remove(agentA, 'plain', await pod('plain', false))).rejects.toThrow(
      'only while it wears the label',
    );
    await pod('marked', true);
    await expect(remove(agentA, 'marked')).rejects.toThrow('by its UID only');
    await expect(remove(agentA, 'marked', 'predecessor')).rejects.toThrow(
      /by its UID only|does not match the UID/,
    );
  });

  it('is not deleted by the agent of another node, nor with a token that is bound to none', async () => {
    const uid = await pod('elsewhere', true);
    await expect(remove(agentB, 'elsewhere', uid)).rejects.toThrow('which belongs to node node-a');
    await expect(remove(unbound, 'elsewhere', uid)).rejects.toThrow(
      'the token is not bound to a node',
    );
  });
});
