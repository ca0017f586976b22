import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { clusterKinds, policyNames } from '../../../cli/commands/doctor/cluster-kinds.ts';
import { reportText } from '../../../cli/commands/doctor/report.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { agentLeaseName, controllerLeaseName } from '../../../core/api/names.ts';
import { Failure } from '../../../core/failure.ts';
import { files, readText } from '../architecture/sources.ts';
import { condition, DoctorCluster } from './support/doctor-cluster.ts';

const outcomeOf = (report: Awaited<ReturnType<DoctorCluster['doctor']>>, check: string) =>
  report.checks.find((each) => each.check === check);

describe('cryopod doctor', () => {
  it('finds a healthy cluster healthy: a canary captured and restored twice on every node with an agent', async () => {
    const cluster = await DoctorCluster.open();
    const report = await cluster.doctor();
    expect(report.checks.map(({ check, outcome }) => `${check} ${outcome}`)).toEqual([
      'rights ok',
      'kinds ok',
      'admission policies ok',
      'webhook skipped',
      'controller ok',
      'agents ok',
    ]);
    expect(report.healthy).toBe(true);
    const [a, b, c] = report.nodes;
    const ok = { outcome: 'ok' };
    expect(a).toMatchObject({
      ...{ node: 'a', agent: 'alive', capture: ok, restoreHere: ok, reason: '' },
      ...{ restoreElsewhere: { outcome: 'ok', node: 'b' }, freezeMilliseconds: 1035 },
    });
    expect(b?.restoreElsewhere).toMatchObject({ outcome: 'ok', node: 'a' });
    expect(c).toMatchObject({ agent: 'not wanted', capture: { outcome: 'skipped' } });
    expect(reportText(report)).toMatch(/^a +alive +ok +1.0 s +ok +ok on b +\d/m);
  });

  it('takes the images of the agents and the controller, asks for no privilege, and cleans up', async () => {
    const cluster = await DoctorCluster.open();
    const env = [{ name: 'CRYOPOD_INIT_IMAGE', value: 'registry/init:1' }];
    const controller = { name: 'cryopod-controller', namespace: 'cryopod-system' };
    const template = { spec: { containers: [{ env }] } };
    await cluster.put(clusterKinds.deployment, controller, { template });
    await cluster.doctor({ nodes: ['a'] });
    const created = cluster.calls.filter(({ verb }) => verb === 'create').map(({ body }) => body);
    const text = JSON.stringify(created);
    expect(text).toContain('"image":"registry/agent:1"');
    expect(text).toContain('"image":"registry/init:1"');
    expect(text).toContain('"pod-security.kubernetes.io/enforce":"restricted"');
    expect(text).not.toMatch(/privileged"|hostPath|hostPID/);
    expect(cluster.all(clusterKinds.namespace)).toEqual([]);
    const removed = cluster.calls.find(({ verb }) => verb === 'delete');
    expect(removed).toMatchObject({ kind: 'Namespace', body: { uid: expect.any(String) } });
  });

  it('names the node whose agent is silent, or was never heard, and tries the others', async () => {
    const cluster = await DoctorCluster.open();
    cluster.silent.add(agentLeaseName('b'));
    const metadata = { name: 'd', labels: { 'kubernetes.io/os': 'linux' } };
    await cluster.put(kinds.node, metadata, {});
    const report = await cluster.doctor();
    expect(report.healthy).toBe(false);
    expect(outcomeOf(report, 'agents')).toMatchObject({
      outcome: 'failed',
      message: '1 alive; not: b (silent), d (absent)',
    });
    expect(report.nodes.map(({ node, agent, reason }) => ({ node, agent, reason }))).toEqual([
      { node: 'a', agent: 'alive', reason: 'there is no other node' },
      { node: 'b', agent: 'silent', reason: 'its agent is silent' },
      { node: 'c', agent: 'not wanted', reason: 'its DaemonSet leaves this node out' },
      {
        ...{ node: 'd', agent: 'absent' },
        reason: 'its agent has never been heard, and the node is not Ready',
      },
    ]);
  });

  it('says why a capture or a restore failed on a node', async () => {
    const cluster = await DoctorCluster.open();
    const failed = condition('Failed', 'True', 'CheckpointFailed', 'CRIU says no');
    cluster.fates.set('a', { capture: { stage: 'Failed', conditions: [failed] } });
    const restored = condition('nvidia.com/Restored', 'False', 'RestoreFailed', 'no such page');
    cluster.fates.set('b', { restored });
    const report = await cluster.doctor();
    expect(report.healthy).toBe(false);
    const [a, b] = report.nodes;
    expect(a).toMatchObject({
      ...{ capture: { outcome: 'failed' }, restoreHere: { outcome: 'skipped' } },
      reason: 'CheckpointFailed: CRIU says no',
    });
    expect(b).toMatchObject({
      ...{ capture: { outcome: 'ok' }, restoreHere: { outcome: 'failed' } },
      ...{ restoreElsewhere: { outcome: 'ok' }, reason: 'RestoreFailed: no such page' },
    });
    expect(cluster.all(clusterKinds.namespace)).toEqual([]);
  });

  it('holds a restore elsewhere against nobody where stores are not said to be one', async () => {
    const cluster = await DoctorCluster.open();
    cluster.sharedStore = '';
    for (const name of ['a', 'b']) {
      const key = { kind: kinds.lease, namespace: 'cryopod-system', name: agentLeaseName(name) };
      await cluster.delete(key, {}, new AbortController().signal);
      await cluster.beat(agentLeaseName(name));
    }
    const lost = condition('nvidia.com/Restored', 'False', 'RestoreFailed', 'ArtifactLost');
    cluster.fates.set('b', { restored: lost });
    const report = await cluster.doctor({ nodes: ['a', 'b'] });
    const [a] = report.nodes;
    expect(a?.restoreElsewhere.outcome).toBe('skipped');
    expect(a?.reason).toContain('not on b, whose store is its own');
  });

  it('gives up on a step that does not end, saying what was waited for', async () => {
    const cluster = await DoctorCluster.open();
    const conditions = [condition('Progressing', 'True', 'CaptureInProgress', 'the agent dumps')];
    cluster.fates.set('a', { capture: { stage: 'Freezing', conditions } });
    const { nodes } = await cluster.doctor({ nodes: ['a'] });
    expect(nodes[0]?.reason).toBe(
      'not within 30 s: the snapshot is in stage Freezing, CaptureInProgress: the agent dumps',
    );
  });

  it('lets no canary fly without rights and kinds, or when none is wanted', async () => {
    const cluster = await DoctorCluster.open();
    cluster.lacking.add('create namespaces');
    const refused = await cluster.doctor();
    expect(outcomeOf(refused, 'rights')?.message).toBe('missing: create namespaces');
    expect(refused.nodes[0]?.reason).toBe('rights: missing: create namespaces');
    cluster.lacking.clear();
    const looked = await cluster.doctor({ canary: false });
    expect(looked.healthy).toBe(true);
    const name = 'podsnapshots.nvidia.com';
    const definition = { kind: clusterKinds.definition, namespace: '', name };
    await cluster.delete(definition, {}, new AbortController().signal);
    const bare = await cluster.doctor();
    expect(outcomeOf(bare, 'kinds')?.message).toContain(`${name} is not installed`);
    expect(cluster.writes.filter(({ kind }) => kind === 'Pod')).toEqual([]);
  });

  it('tells of a policy that is not bound, and of a controller that leads no more', async () => {
    const cluster = await DoctorCluster.open();
    const name = 'cryopod-snapshot-rights';
    const binding = { kind: clusterKinds.policyBinding, namespace: '', name };
    await cluster.delete(binding, {}, new AbortController().signal);
    cluster.silent.add(controllerLeaseName);
    const report = await cluster.doctor({ canary: false });
    expect(outcomeOf(report, 'admission policies')?.message).toBe(
      'missing: ValidatingAdmissionPolicyBinding cryopod-snapshot-rights',
    );
    expect(outcomeOf(report, 'controller')?.outcome).toBe('failed');
    expect(report.healthy).toBe(false);
  });

  it('removes the namespace when it is interrupted, and when the answer to its creation is lost', async () => {
    const stopped = await DoctorCluster.open();
    const stop = new AbortController();
    const told: string[] = [];
    stopped.fates.set('a', { capture: { stage: 'Freezing' } });
    const interrupted = stopped.doctor(
      { nodes: ['a'] },
      {
        signal: stop.signal,
        onLine: (line) => {
          told.push(line);
          if (line.startsWith('a: starting')) setImmediate(() => stop.abort(new Error('Ctrl-C')));
        },
      },
    );
    await expect(interrupted).rejects.toThrow('Ctrl-C');
    expect(stopped.all(clusterKinds.namespace)).toEqual([]);
    expect(told.at(-1)).toMatch(/^namespace cryopod-doctor-\w{8} is being removed/);

    const lossy = await DoctorCluster.open();
    lossy.after = ({ verb, kind }) => {
      if (verb === 'create' && kind === 'Namespace') throw new Error('connection lost');
    };
    await expect(lossy.doctor()).rejects.toThrow('connection lost');
    expect(lossy.all(clusterKinds.namespace)).toEqual([]);
  });

  it('tries one node alone where it is told to, with the help of another', async () => {
    const cluster = await DoctorCluster.open();
    const { nodes } = await cluster.doctor({ nodes: ['b'] });
    expect(nodes).toMatchObject([{ node: 'b', restoreElsewhere: { outcome: 'ok', node: 'a' } }]);
  });

  it('holds nothing against a cluster that it may not look at', async () => {
    const cluster = await DoctorCluster.open();
    const before = cluster.before;
    cluster.before = async (call) => {
      await before(call);
      if (call.kind === 'ValidatingAdmissionPolicy') {
        throw new Failure('terminal', 'Forbidden', 'policies: forbidden');
      }
    };
    const report = await cluster.doctor();
    expect(report.healthy).toBe(true);
    expect(outcomeOf(report, 'admission policies')).toMatchObject({
      ...{ outcome: 'skipped', message: 'policies: forbidden' },
    });
  });

  it('says which node it does not know', async () => {
    const cluster = await DoctorCluster.open();
    await expect(cluster.doctor({ nodes: ['z'] })).rejects.toThrow('there is no node z');
  });

  it('looks for every admission policy that deploy/ has', () => {
    const there = files
      .filter((path) => path.startsWith('deploy/admission/'))
      .flatMap((path) => yaml.parseAllDocuments(readText(path)).map((each) => each.toJS()))
      .filter((manifest) => manifest?.kind === 'ValidatingAdmissionPolicy')
      .map(({ metadata }) => metadata.name);
    expect([...policyNames].toSorted()).toEqual(there.toSorted());
  });
});
