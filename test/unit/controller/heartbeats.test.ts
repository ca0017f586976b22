import { describe, expect, it } from 'vitest';
import { AgentBeats } from '../../../controller/agent-beats.ts';
import { Heartbeats } from '../../../controller/heartbeats.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { agentLeaseName, systemNamespace } from '../../../core/api/names.ts';
import { parseLease } from '../../../core/api/workload.ts';
import { Failure } from '../../../core/failure.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

const never = new AbortController().signal;

function scene() {
  const clock = new FakeClock();
  const kube = new MemoryKube(clock);
  const beats = new AgentBeats(clock);
  const heartbeats = new Heartbeats(kube, clock, systemNamespace, beats);
  const key = { kind: kinds.lease, namespace: systemNamespace, name: agentLeaseName('node-a') };
  let number = 0;
  return {
    clock,
    kube,
    heartbeats,
    look: () => heartbeats.look('node-a', never),
    /** The watch delivers the Lease as it is now. */
    hear: () => {
      const lease = parseLease(kube.peek(key));
      beats.seen(key.name, lease.ok ? lease.value : undefined);
    },
    beat: async (holderIdentity = 'agent-1') => {
      number += 1;
      const spec = { holderIdentity, renewTime: `beat ${number}` };
      if (kube.peek(key) !== undefined) {
        await kube.patch(key, '', { type: 'merge', body: { spec } }, never);
        return;
      }
      const metadata = { name: key.name, namespace: key.namespace };
      await kube.create(kinds.lease, { metadata, spec }, { dryRun: false }, never);
    },
    watch: async (seconds: number) => {
      for (let left = seconds; left > 0; left -= 10) {
        await clock.advance(10_000);
        await heartbeats.look('node-a', never);
      }
      return heartbeats.look('node-a', never);
    },
  };
}

describe('the heartbeat of an agent', () => {
  it('is silent for as long as its Lease stands still', async () => {
    const { beat, look, watch } = scene();
    await beat();
    expect((await look()).silentMilliseconds).toBe(0);
    expect((await watch(40)).silentMilliseconds).toBe(40_000);
  });

  it('is silent for as long as there is no Lease', async () => {
    const { look, watch } = scene();
    await look();
    expect((await watch(70)).silentMilliseconds).toBe(70_000);
  });

  it('is heard again with the next beat', async () => {
    const { beat, clock, look, watch } = scene();
    await beat();
    await look();
    await watch(40);
    await beat();
    await clock.advance(6_000);
    expect((await look()).silentMilliseconds).toBe(0);
  });

  it('is silent from when the agent has let go of it', async () => {
    const { beat, look, watch } = scene();
    await beat();
    await look();
    await beat('');
    await watch(10);
    expect((await watch(50)).silentMilliseconds).toBe(50_000);
  });

  it('does not age in an outage of the API server', async () => {
    const { beat, clock, kube, look, watch } = scene();
    await beat();
    await look();
    await watch(20);
    kube.before = () => {
      throw new Failure('retry', 'ConnectionFailed', 'down');
    };
    await clock.advance(50_000);
    await expect(look()).rejects.toThrow('down');
    kube.before = () => {};
    expect((await look()).silentMilliseconds).toBe(35_000);
  });

  it('starts afresh when nobody has asked for a long time', async () => {
    const { beat, clock, look, watch } = scene();
    await beat();
    await look();
    await watch(50);
    await clock.advance(3_600_000);
    expect((await look()).silentMilliseconds).toBe(0);
  });

  it('is asked for once when several orders want to know', async () => {
    const { beat, kube, look } = scene();
    await beat();
    await look();
    const before = kube.calls.length;
    await Promise.all([look(), look(), look()]);
    expect(kube.calls.length).toBe(before);
  });

  it('does not care what the clocks of the nodes say', async () => {
    const { beat, clock, look, watch } = scene();
    await beat();
    await look();
    clock.jumpWall(-3_600_000);
    expect((await watch(20)).silentMilliseconds).toBe(20_000);
  });

  it('tells that the node is gone only after a minute, and only when the API server says so', async () => {
    const { kube, look, watch } = scene();
    await kube.create(kinds.node, { metadata: { name: 'node-a' } }, { dryRun: false }, never);
    await look();
    expect(await watch(70)).toMatchObject({ nodeGone: false });
    await kube.delete({ kind: kinds.node, namespace: '', name: 'node-a' }, {}, never);
    expect(await watch(10)).toMatchObject({ nodeGone: true });
  });
});

describe('the heartbeat of an agent that the watch hears', () => {
  it('costs no request, however many orders ask and however often', async () => {
    const { beat, clock, hear, kube, look } = scene();
    await beat();
    hear();
    let requests = 0;
    for (let step = 0; step < 10; step += 1) {
      await clock.advance(9_000);
      const before = kube.calls.length;
      await Promise.all([look(), look()]);
      requests += kube.calls.length - before;
      await beat();
      hear();
    }
    expect(requests).toBe(0);
    expect((await look()).silentMilliseconds).toBe(0);
  });

  it('is silent from the last beat on when the beats end', async () => {
    const { beat, hear, look, watch } = scene();
    await beat();
    hear();
    await look();
    expect((await watch(40)).silentMilliseconds).toBe(40_000);
  });

  it('is not silent when only the watch is: the API server is asked before anybody ages', async () => {
    const { beat, clock, hear, look } = scene();
    await beat();
    hear();
    for (let step = 0; step < 20; step += 1) {
      await clock.advance(10_000);
      await beat();
      expect((await look()).silentMilliseconds).toBeLessThan(20_000);
    }
  });

  it('does not age in an outage in which neither watch nor request is answered', async () => {
    const { beat, clock, hear, kube, look, watch } = scene();
    await beat();
    hear();
    await watch(20);
    kube.before = () => {
      throw new Failure('retry', 'ConnectionFailed', 'down');
    };
    await clock.advance(50_000);
    await expect(look()).rejects.toThrow('down');
    kube.before = () => {};
    expect((await look()).silentMilliseconds).toBe(35_000);
    await beat();
    hear();
    expect((await look()).silentMilliseconds).toBe(0);
  });
});
