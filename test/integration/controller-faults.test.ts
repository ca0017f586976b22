import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downBed } from '../bed/bed.ts';
import type { ControllerProcess } from './controller-world.ts';
import { type Calm, type FaultedFlows, faultedFlows, strikeEveryWrite } from './faulted-flows.ts';

const bedName = 'controller-faults';
let faulted: FaultedFlows;
let controller: ControllerProcess;
let calm: Calm;

beforeAll(async () => {
  faulted = await faultedFlows(bedName);
  controller = faulted.start('controller-a');
  calm = await faulted.calmEnds();
}, 300_000);
afterAll(async () => {
  await controller?.stop('SIGTERM');
  await faulted?.close();
  await downBed(bedName);
});

// The other answers are met in test/full.
describe('every write of every flow', () => {
  it('answered 409 leads to the same end', async () => {
    await strikeEveryWrite(faulted, calm, 'conflict', { code: 409 });
  });

  it('applied, with its answer lost, leads to the same end', async () => {
    await strikeEveryWrite(faulted, calm, 'lost', 'lose-answer');
  });

  it('brings no error into the log', () => {
    expect(controller.log()).not.toContain('"level":"error"');
  });
});
