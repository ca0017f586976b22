import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../agent/store/digest.ts';
import type { SnapshotStore } from '../../../agent/store/store.ts';
import { keepSwept, type SweepOptions } from '../../../agent/sweeper.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { sweepLeaseName } from '../../../core/api/names.ts';
import { sleep } from '../../../core/clock.ts';
import { silentLog } from '../../../runtime/log.ts';
import { recordAt } from '../../../runtime/raw-object.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';
import { type MemoryStore, memoryStore } from '../../support/memory-store.ts';

const hour = 3_600_000;
const day = 24 * hour;

/** A store that agents on one cluster share. */
class Shared {
  readonly clock = new FakeClock();
  readonly kube = new MemoryKube(this.clock);
  readonly store: MemoryStore = memoryStore(() => this.clock.wallMilliseconds());
  readonly outcomes: string[] = [];
  readonly #stop = new AbortController();

  /** Starts the sweeper of one agent; the function returned ends it. */
  start(holder: string, over: { store?: SnapshotStore; options?: Partial<SweepOptions> } = {}) {
    const own = new AbortController();
    const { clock, kube } = this;
    const running = keepSwept(
      {
        leases: { kube, clock, random: () => 0.5, log: silentLog },
        store: over.store ?? this.store,
        metrics: {
          swept: ({ outcome, freedBytes }) =>
            this.outcomes.push(`${holder} ${outcome} ${freedBytes}`),
        },
      },
      {
        ...{ namespace: 'cryopod-system', holder, deadHolders: new Set<string>() },
        ...{ everyMilliseconds: day, graceMilliseconds: day },
        ...over.options,
      },
      AbortSignal.any([own.signal, this.#stop.signal]),
    );
    return async (): Promise<void> => {
      own.abort(new Error('stopped'));
      await running;
    };
  }

  async addGarbage(): Promise<void> {
    const bytes = randomBytes(100);
    const { signal } = this.#stop;
    await this.store.putBlob(digestOf(bytes), bytes.byteLength, bytes, signal);
  }

  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= hour / 4) {
      await this.clock.advance(Math.min(left, hour / 4));
    }
  }

  holder(): unknown {
    const name = sweepLeaseName('00000000-0000-4000-8000-000000000000');
    const lease = this.kube.peek({ kind: kinds.lease, namespace: 'cryopod-system', name });
    return recordAt(lease ?? {}, 'spec').holderIdentity;
  }
}

describe('the sweeper of a store', () => {
  it('sweeps soon after the start and then daily, and gives the Lease back each time', async () => {
    const shared = new Shared();
    await shared.addGarbage();
    const stop = shared.start('a');
    await shared.pass(hour);
    expect(shared.outcomes).toEqual(['a done 0']);
    expect(shared.holder()).toBe('');
    await shared.pass(day + hour);
    expect(shared.outcomes).toEqual(['a done 0', 'a done 100']);
    expect(shared.store.blobs.size).toBe(0);
    await stop();
  });

  it('leaves what is younger than the grace', async () => {
    const shared = new Shared();
    const stop = shared.start('a', { options: { graceMilliseconds: 3 * day } });
    await shared.addGarbage();
    await shared.pass(2 * day + hour);
    expect(shared.store.blobs.size).toBe(1);
    await shared.pass(2 * day);
    expect(shared.store.blobs.size).toBe(0);
    await stop();
  });

  it('keeps away while another agent of the same store is at it', async () => {
    const shared = new Shared();
    const { store, clock } = shared;
    const slow: SnapshotStore = {
      ...store,
      removeLeftovers: (_before, signal) => sleep(clock, hour / 2, signal),
    };
    const stopA = shared.start('a', { store: slow });
    await clock.advance(hour / 4);
    expect(shared.holder()).toBe('a');
    const stopB = shared.start('b', { store: slow });
    await clock.advance(hour / 10);
    expect(shared.outcomes).toEqual(['b elsewhere 0']);
    await shared.pass(2 * hour);
    expect(shared.outcomes).toEqual(['b elsewhere 0', 'a done 0', 'b done 0']);
    await stopA();
    await stopB();
  });

  it('gives up a sweep that takes too long, and one that is told to stop, with the Lease', async () => {
    const shared = new Shared();
    const { store, clock } = shared;
    const endless: SnapshotStore = {
      ...store,
      removeLeftovers: (_before, signal) => sleep(clock, 365 * day, signal),
    };
    const stop = shared.start('a', { store: endless });
    await shared.pass(2 * hour);
    expect(shared.outcomes).toEqual(['a failed 0']);
    expect(shared.holder()).toBe('');
    await shared.pass(hour / 2);
    expect(shared.holder()).toBe('a');
    const stopped = stop();
    await clock.advance(100);
    await stopped;
    expect(shared.holder()).toBe('');
  });

  it('survives a store that is away, and says when one snapshot keeps it from deleting', async () => {
    const shared = new Shared();
    const { store } = shared;
    let away = true;
    const flaky: SnapshotStore = {
      ...store,
      identity: async (signal) => {
        if (away) throw new Error('stale file handle');
        return store.identity(signal);
      },
    };
    const stop = shared.start('a', { store: flaky });
    await shared.pass(hour);
    expect(shared.outcomes).toEqual([]);
    away = false;
    await shared.addGarbage();
    const digest = digestOf(Buffer.from('lost'));
    const key = { namespace: 'default', contentUID: 'uid' };
    const reference = { digest, size: 4, mediaType: 'application/x', fence: 0 };
    await store.putReference(key, reference, new AbortController().signal);
    await shared.pass(2 * day);
    expect(shared.outcomes.at(-1)).toBe('a blocked 0');
    expect(shared.store.blobs.size).toBe(1);
    await stop();
  });
});
