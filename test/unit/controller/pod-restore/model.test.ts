import fc from 'fast-check';
import { describe, it } from 'vitest';
import { RestoreModel, steps } from '../support/restore-model.ts';

const step = fc.record({
  name: fc.constantFrom(...steps),
  pick: fc.nat(7),
});
const plan = fc.record({
  onFailure: fc.constantFrom('Fail' as const, 'ColdStart' as const),
  steps: fc.array(step, { minLength: 5, maxLength: 40 }),
});

describe('a restore, whatever happens in whatever order', () => {
  it('has one pod at most, starts cold only when asked and says so, kills nothing that is restored, and ends', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ onFailure, steps: course }) => {
        const model = await RestoreModel.make(onFailure);
        try {
          for (const { name, pick } of course) await model.step(name, pick);
          await model.settle();
        } finally {
          model.close();
        }
      }),
      { numRuns: Number(process.env.CRYOPOD_MODEL_RUNS ?? 150) },
    );
  });
});
