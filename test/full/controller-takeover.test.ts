import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../../core/api/kinds.ts';
import { controllerLeaseName, systemNamespace } from '../../core/api/names.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { downBed } from '../bed/bed.ts';
import { type Flow, flows } from '../integration/controller-flows.ts';
import type { ControllerProcess } from '../integration/controller-world.ts';
import {
  type Calm,
  type FaultedFlows,
  faultedFlows,
  settlesAlike,
  strikeEveryWrite,
} from '../integration/faulted-flows.ts';
import type { Fault } from '../support/fault-proxy.ts';

const bedName = 'controller-takeover';
const never = new AbortController().signal;
let faulted: FaultedFlows;
let calm: Calm;
let leader: ControllerProcess;
let standby: ControllerProcess;
const running: ControllerProcess[] = [];

function start(name: string): ControllerProcess {
  const made = faulted.start(name);
  running.push(made);
  return made;
}

const leads = (process: ControllerProcess): Promise<true> =>
  faulted.world.until('the lead', async () =>
    process.log().includes('"leading"') ? true : undefined,
  );

beforeAll(async () => {
  faulted = await faultedFlows(bedName);
  leader = start('controller-a');
  calm = await faulted.calmEnds();
  standby = start('controller-b');
  await faulted.world.until('the second replica to stand by', async () =>
    standby.log().includes('"started"') ? true : undefined,
  );
}, 300_000);
afterAll(async () => {
  await Promise.all(running.map((each) => each.stop('SIGKILL')));
  await faulted?.close();
  await downBed(bedName);
});

const strikes: Readonly<Record<string, Fault>> = {
  429: { code: 429, retryAfterSeconds: 1 },
  500: { code: 500 },
  cut: 'drop',
};

describe('every write of every flow', () => {
  // 409 and a lost answer are met in test/integration.
  it.each(Object.entries(strikes))(
    'answered %s leads to the same end',
    async (name, fault) => {
      await strikeEveryWrite(faulted, calm, name, fault);
    },
    300_000,
  );
});

/** Begins every flow in namespaces of its own. */
async function beginAll(prefix: string): Promise<readonly { flow: Flow; namespace: string }[]> {
  const all = flows.flatMap((flow) =>
    [1, 2, 3].map((copy) => ({ flow, namespace: `${prefix}-${flow.name}-${copy}` })),
  );
  await Promise.all(all.map(({ flow, namespace }) => faulted.begin(flow, namespace)));
  return all;
}

async function endAlike(all: readonly { flow: Flow; namespace: string }[]): Promise<void> {
  await Promise.all(all.map(({ flow, namespace }) => faulted.over(flow, namespace)));
  for (const { flow, namespace } of all) await settlesAlike(faulted, calm, flow, namespace);
}

describe('a leader', () => {
  it('killed with flows in every state is followed by one that brings each to the same end', async () => {
    const cases = [...calm].flatMap(([flow, { writes }]) =>
      Array.from({ length: writes }, (_, index) => index + 1).flatMap((last) =>
        (['drop', 'lose-answer'] as const).map((fault) => ({
          ...{ flow, last, fault },
          namespace: `kill-${flow.name}-${fault}-${last}`,
        })),
      ),
    );
    const reached = new Set<string>();
    await Promise.all(
      cases.map(async ({ flow, fault, last, namespace }) => {
        // The flow stands still behind this write, whatever the leader tries.
        await faulted.begin(flow, namespace, (write) => {
          if (write >= last) reached.add(namespace);
          if (write === last) return fault;
          return write > last ? 'drop' : undefined;
        });
        await faulted.world.until(
          `${namespace} to stand still`,
          async () =>
            reached.has(namespace) ||
            (faulted.mayEndBefore(flow, last, calm) && flow.isOver(faulted.cluster.see(namespace)))
              ? true
              : undefined,
          120_000,
        );
      }),
    );
    await leader.stop('SIGKILL');
    leader = standby;
    faulted.calm();
    await endAlike(cases);
  }, 300_000);

  it('whose lease is taken from it while it works ends itself, and the ends are the same', async () => {
    standby = start('controller-c');
    const all = await beginAll('taken');
    const key = { kind: kinds.lease, namespace: systemNamespace, name: controllerLeaseName };
    const spec: RawObject = { holderIdentity: '', leaseDurationSeconds: 1 };
    await faulted.world.kube.patch(key, '', { type: 'merge', body: { spec } }, never);
    const former = leader;
    leader = standby;
    await leads(leader);
    expect(await former.ended).toBe(1);
    await endAlike(all);
  }, 300_000);

  it('that stood still until another one led writes nothing when it wakes up', async () => {
    standby = start('controller-d');
    const all = await beginAll('still');
    await faulted.world.until('half of the writes', async () =>
      all.filter(({ namespace }) => (faulted.writes.get(namespace)?.length ?? 0) > 1).length > 6
        ? true
        : undefined,
    );
    leader.signal('SIGSTOP');
    await leads(standby);
    await endAlike(all);
    leader.signal('SIGCONT');
    expect(await leader.ended).toBe(1);
    await endAlike(all);
    expect(standby.log()).not.toContain('"level":"error"');
  }, 300_000);
});
