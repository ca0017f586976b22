import { describe, expect, it } from 'vitest';
import { AgentBeats } from '../../../controller/agent-beats.ts';
import { agentLeaseName, annotations } from '../../../core/api/names.ts';
import { type Lease, parseLease } from '../../../core/api/workload.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function lease(beat: number, sharedID = '', holderIdentity = 'agent-1'): Lease {
  const parsed = parseLease({
    metadata: {
      ...{ name: agentLeaseName('node-a'), uid: 'lease-1' },
      annotations: { [annotations.store]: 'dir', [annotations.sharedStore]: sharedID },
    },
    spec: { holderIdentity, renewTime: `beat ${beat}` },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const nameOf = agentLeaseName;
const anyStore = () => true;

function scene() {
  const clock = new FakeClock();
  return { clock, beats: new AgentBeats(clock) };
}

describe('the beats of agents, as the watch shows them', () => {
  it('are told by what changed, not by the times in them', async () => {
    const { beats, clock } = scene();
    beats.seen(nameOf('node-a'), lease(1));
    const first = beats.beatOf('node-a')?.atMonotonicMilliseconds ?? 0;
    await clock.advance(5_000);
    beats.seen(nameOf('node-a'), lease(1));
    expect(beats.beatOf('node-a')?.atMonotonicMilliseconds).toBe(first);
    beats.seen(nameOf('node-a'), lease(2));
    expect(beats.beatOf('node-a')?.atMonotonicMilliseconds).toBe(first + 5_000);
  });

  it('tell of an agent that begins to beat, for the first time or after a silence', async () => {
    const { beats, clock } = scene();
    const seen = (beat: number) => beats.seen(nameOf('node-a'), lease(beat));
    expect([seen(1), seen(2)]).toEqual([true, false]);
    await clock.advance(30_000);
    expect([seen(2), seen(3), seen(4)]).toEqual([false, true, false]);
    expect(beats.seen(nameOf('node-a'), undefined)).toBe(false);
    expect(seen(5)).toBe(true);
  });

  it('are none of a Lease that was let go or is gone', () => {
    const { beats } = scene();
    beats.seen(nameOf('node-a'), lease(1));
    beats.seen(nameOf('node-a'), lease(1, '', ''));
    expect(beats.beatOf('node-a')).toBeUndefined();
    beats.seen(nameOf('node-a'), lease(2));
    beats.seen(nameOf('node-a'), undefined);
    expect(beats.beatOf('node-a')).toBeUndefined();
  });

  it('are no agent’s where the Lease is something else', () => {
    const { beats } = scene();
    beats.seen('podsnapshot-1', lease(1));
    expect(beats.living(anyStore)).toEqual([]);
  });

  it('name the living agents of a store, in order, for half a minute each', async () => {
    const { beats, clock } = scene();
    beats.seen(nameOf('node-b'), lease(1, 'shared-1'));
    beats.seen(nameOf('node-c'), lease(1));
    await clock.advance(29_000);
    beats.seen(nameOf('node-a'), lease(1, 'shared-1'));
    const isShared = ({ sharedID }: { readonly sharedID: string | undefined }) =>
      sharedID === 'shared-1';
    expect(beats.living(isShared)).toEqual(['node-a', 'node-b']);
    await clock.advance(1_000);
    expect(beats.living(isShared)).toEqual(['node-a']);
  });

  it('leave behind which store an agent served when its Lease is gone', () => {
    const { beats } = scene();
    beats.seen(nameOf('node-a'), lease(1, 'shared-1'));
    beats.seen(nameOf('node-a'), undefined);
    expect(beats.storeOf('node-a')).toEqual({ name: 'dir', sharedID: 'shared-1' });
    expect(beats.living(anyStore)).toEqual([]);
  });
});
