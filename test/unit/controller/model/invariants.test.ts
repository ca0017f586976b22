import { describe, it } from 'vitest';
import { expectInvariants } from './hold.ts';

// The full set, 10,000 histories, is in test/full.
describe('whatever dies, lags, is lost, deleted, cancelled or fails, and whenever', () => {
  it('a checkpoint and all that comes of it keep the invariants of the control plane', async () => {
    await expectInvariants('checkpoint', 400);
  });

  it('a snapshot and its order keep the invariants of the control plane', async () => {
    await expectInvariants('snapshot', 300);
  });

  it('a SnapshotJob and all that comes of it keep the invariants of the control plane', async () => {
    await expectInvariants('snapshotJob', 300);
  });
}, 120_000);
