import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HeldLease, LapsePolicy } from '../../../runtime/held-lease.ts';
import { captureLeaseTiming } from '../../../runtime/lease-attempt.ts';
import { acquireLease } from '../../../runtime/lease-lock.ts';
import { silentLog } from '../../../runtime/log.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { ModelMachine } from '../../support/lossy-kube.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

const networks = ['good', 'lost', 'answer-lost', 'late'] as const;
const machines = 3;

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pass'), seconds: fc.integer({ min: 1, max: 45 }) }),
  },
  fc.record({ do: fc.constant('pause'), machine: fc.nat(machines - 1) }),
  fc.record({ do: fc.constant('resume'), machine: fc.nat(machines - 1) }),
  fc.record({ do: fc.constant('release'), machine: fc.nat(machines - 1) }),
  fc.record({
    do: fc.constant('network'),
    machine: fc.nat(machines - 1),
    network: fc.constantFrom(...networks),
  }),
);

/** One process after another on a machine: each acquires, holds until lost or told to release, and starts again under a new name. */
class Contender {
  held: HeldLease | undefined;
  readonly fences: number[] = [];
  readonly machine: ModelMachine;
  #release: () => void = () => {};

  constructor(machine: ModelMachine) {
    this.machine = machine;
  }

  release(): void {
    this.#release();
  }

  async run(name: string, kube: MemoryKube, whenLapsed: LapsePolicy, stop: AbortSignal) {
    const deps = {
      kube: this.machine.reach(kube),
      clock: this.machine,
      random: () => 0,
      log: silentLog,
    };
    for (let start = 0; !stop.aborted; start += 1) {
      const holder = `${name}-${start}`;
      const request = {
        namespace: 'cryopod-system',
        name: 'capture',
        holder,
        timing: captureLeaseTiming,
        ownerReference: undefined,
        whenLapsed,
      };
      const lease = await acquireLease(deps, request, stop).catch(() => undefined);
      if (lease === undefined) return;
      this.held = lease;
      this.fences.push(lease.fence);
      await new Promise<void>((resolve) => {
        this.#release = resolve;
        for (const signal of [lease.lost, stop]) signal.addEventListener('abort', () => resolve());
      });
      await lease.release();
    }
  }
}

it.each(['lose', 'wait'] as const)(
  'is never believed held by two at once, with clocks of any offset and near rates (%s)',
  async (whenLapsed) => {
    const model = fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30 }),
      fc.array(fc.double({ min: 0.92, max: 1.08, noNaN: true }), {
        minLength: machines,
        maxLength: machines,
      }),
      async (steps, rates) => {
        const clock = new FakeClock();
        const kube = new MemoryKube(clock);
        const stop = new AbortController();
        const contenders = rates.map((rate) => new Contender(new ModelMachine(clock, rate)));
        contenders.forEach(
          (contender, index) => void contender.run(`m${index}`, kube, whenLapsed, stop.signal),
        );
        const check = (): void => {
          const believing = contenders.filter((contender) => contender.held?.current());
          expect(believing.length).toBeLessThanOrEqual(1);
          const fences = contenders.flatMap((contender) => contender.fences);
          expect(new Set(fences).size).toBe(fences.length);
        };
        for (const now of steps) {
          const contender = 'machine' in now ? contenders[now.machine] : undefined;
          if ('seconds' in now) {
            for (let half = 0; half < now.seconds * 2; half += 1) {
              await clock.advance(500);
              check();
            }
          } else if ('network' in now && contender !== undefined)
            contender.machine.network = now.network;
          else if (now.do === 'pause') contender?.machine.pause();
          else if (now.do === 'resume') contender?.machine.resume();
          else contender?.release();
          await settle();
          check();
        }
        for (const contender of contenders) {
          contender.machine.network = 'good';
          contender.machine.resume();
        }
        await clock.advance(120_000);
        check();
        expect(contenders.some((contender) => contender.held?.current())).toBe(true);
        stop.abort();
      },
    );
    await fc.assert(model, { numRuns: 25 });
  },
);
