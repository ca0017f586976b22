import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemNamespace } from '../../core/api/names.ts';
import {
  type AdmissionWorld,
  administrator,
  admissionWorld,
  placedPod,
} from './admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await admissionWorld('flow-schema');
  await world.create(administrator, placedPod('web', 'team', 'node-a'));
});
afterAll(() => world.end());

it('what agents ask for waits in their own queue, their leases in that of elections', async () => {
  const agent = await world.agentOf('node-a');
  const dispatched = async (schema: string): Promise<number> => {
    const metrics = await world.kubectl(administrator, ['get', '--raw', '/metrics']);
    const line = new RegExp(
      `^apiserver_flowcontrol_dispatched_requests_total\\{flow_schema="${schema}",.*\\} ([0-9]+)$`,
      'm',
    );
    return Number(line.exec(metrics)?.[1] ?? 0);
  };
  const [work, leases] = [await dispatched('cryopod-agents'), await dispatched('cryopod-leases')];
  await world.kubectl(agent, ['get', 'pod', 'web', '-n', 'team']);
  await world.kubectl(agent, ['get', 'pods', '-A']);
  expect(await dispatched('cryopod-agents')).toBe(work + 1);
  const of = ['lease', 'none', '-n', systemNamespace, '--ignore-not-found'];
  await world.kubectl(agent, ['get', ...of]);
  expect(await dispatched('cryopod-leases')).toBe(leases + 1);
});
