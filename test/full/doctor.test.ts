import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bed } from '../bed/bed.ts';
import { attachSharedBed } from '../e2e/cluster.ts';
import { runCliInProcess } from '../support/run-cli.ts';
import { type AgentOnNode, agentOnNode } from './agent-node.ts';

describe('cryopod doctor', () => {
  let bed: Bed;
  let agent: AgentOnNode;
  beforeAll(async () => {
    bed = await attachSharedBed();
    agent = agentOnNode(bed, 'node-b');
  });
  afterAll(async () => {
    await agent.script('kill -CONT $(agent)');
    await agent.ready();
  });

  const doctor = (words: readonly string[], signal = new AbortController().signal) =>
    runCliInProcess(['doctor', ...words, '--kubeconfig', bed.kubeconfigPath], { signal });
  const left = (): Promise<string> =>
    bed.kubectl(['get', 'namespaces,podsnapshotcontents', '-o', 'yaml']);

  it('proves on every node that captures and restores work, and leaves nothing', async () => {
    const { code, printed, complaints } = await doctor(['-o', 'json']);
    expect(code, printed + complaints).toBe(0);
    const { healthy, checks, nodes } = JSON.parse(printed);
    expect(healthy).toBe(true);
    for (const { check, outcome, message } of checks) {
      expect(outcome, `${check}: ${message}`).not.toBe('failed');
    }
    expect(nodes).toMatchObject([
      {
        ...{ node: 'node-a', agent: 'alive', reason: '' },
        ...{ capture: { outcome: 'ok' }, restoreHere: { outcome: 'ok' } },
        restoreElsewhere: { outcome: 'ok', node: 'node-b' },
      },
      {
        ...{ node: 'node-b', agent: 'alive', reason: '' },
        ...{ capture: { outcome: 'ok' }, restoreHere: { outcome: 'ok' } },
        restoreElsewhere: { outcome: 'ok', node: 'node-a' },
      },
    ]);
    expect(await left()).not.toContain('cryopod-doctor');
  });

  it('removes the canary on Ctrl-C, too', async () => {
    const stop = new AbortController();
    const running = doctor(['--node', 'node-b'], stop.signal);
    await bed.waitFor(
      'the canary to have its namespace',
      async () => ((await left()).includes('cryopod-doctor') ? true : undefined),
      60_000,
    );
    stop.abort(new Error('interrupted by SIGINT'));
    const { code, complaints } = await running;
    expect(code).toBe(130);
    expect(complaints).toMatch(/namespace cryopod-doctor-\w+ is being removed/);
    await bed.waitFor(
      'everything to go',
      async () => ((await left()).includes('cryopod-doctor') ? undefined : true),
      60_000,
    );
  });

  it('names the node whose agent is silent, and tries the other one', async () => {
    await agent.script('kill -STOP $(agent)');
    const { code, printed } = await doctor(['-o', 'json']);
    await agent.script('kill -CONT $(agent)');
    expect(code).toBe(1);
    const { healthy, checks, nodes } = JSON.parse(printed);
    expect(healthy).toBe(false);
    expect(checks).toContainEqual({
      check: 'agents',
      outcome: 'failed',
      message: '1 alive; not: node-b (silent)',
    });
    expect(nodes).toMatchObject([
      {
        ...{ node: 'node-a', agent: 'alive', capture: { outcome: 'ok' } },
        ...{ restoreHere: { outcome: 'ok' }, restoreElsewhere: { outcome: 'skipped' } },
      },
      { node: 'node-b', agent: 'silent', capture: { outcome: 'skipped' } },
    ]);
    await agent.ready();
    expect(await left()).not.toContain('cryopod-doctor');
  });
});
