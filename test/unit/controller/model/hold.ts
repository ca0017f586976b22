import fc from 'fast-check';
import type { Request } from './model-world.ts';
import { history, live } from './steps.ts';

/** Holds the invariants against so many random histories of a kind of request; what breaks one is shrunk and printed, to become a row. */
export async function expectInvariants(kind: Request['kind'], numRuns: number): Promise<void> {
  await fc.assert(fc.asyncProperty(history(kind), live), { numRuns });
}
