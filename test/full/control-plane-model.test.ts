import { describe, expect, it } from 'vitest';
import { expectInvariants } from '../unit/controller/model/hold.ts';

const runs = { checkpoint: 4_000, snapshot: 3_000, snapshotJob: 3_000 } as const;

describe('the model of the control plane', () => {
  it('keeps every invariant through 10,000 random histories, in less than a minute of a processor', async () => {
    const before = process.cpuUsage();
    await expectInvariants('checkpoint', runs.checkpoint);
    await expectInvariants('snapshot', runs.snapshot);
    await expectInvariants('snapshotJob', runs.snapshotJob);
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    console.log(`10,000 histories: ${seconds.toFixed(1)} s of processor time`);
    expect(seconds).toBeLessThan(60);
  }, 600_000);
});
