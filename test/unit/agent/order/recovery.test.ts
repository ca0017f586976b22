import { describe, expect, it } from 'vitest';
import type { LeftCapture } from '../../../../agent/capture/backend.ts';
import { recover } from '../../../../agent/order/recovery.ts';
import { silentLog } from '../../../../runtime/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { memoryJournal } from '../../../support/memory-journal.ts';

const never = new AbortController().signal;
const criu = { pid: 7, startTicks: 70 };
const source = { pid: 8, startTicks: 80 };
const left = {
  processes: [
    { criu, source: undefined },
    { criu: undefined, source },
  ],
};

/** Recovers with one staging directory that no journal knows; what was done, in order. */
async function recoverFrom(found: Omit<LeftCapture, 'stagingDirectory'>, trouble?: Error) {
  const done: string[] = [];
  const refuse = async (): Promise<never> => {
    throw new Error('not to be called');
  };
  await recover(
    {
      clock: new FakeClock(),
      log: silentLog,
      journal: memoryJournal(),
      backend: {
        ...{ probe: refuse, preflight: refuse, start: refuse, isCommitted: refuse, decide: refuse },
        findLeft: async (directories) =>
          directories.map((stagingDirectory) => ({ stagingDirectory, ...found })),
        settle: async (one) => {
          if (trouble !== undefined) throw trouble;
          for (const { criu: dump, source: of } of one.processes) {
            done.push(dump === undefined ? `thaw ${of?.pid}` : `wait ${dump.pid}`);
          }
          return { sourceRuns: true };
        },
      },
      staging: {
        ...{ pathOf: () => '', create: refuse, files: refuse, note: refuse },
        noted: async () => undefined,
        list: async () => ['/staging/uid-1'],
        drop: async (path) => void done.push(`drop ${path}`),
      },
      metrics: {
        ...{ froze: () => {}, dumped: () => {}, published: () => {}, ended: () => {} },
        ...{ blocked: () => {}, leaseLost: () => {} },
        violated: (invariant) => done.push(`violated ${invariant}`),
      },
    },
    never,
  );
  return done;
}

describe('staging that no journal knows', () => {
  it('is dropped once its CRIU has ended and its source runs', async () => {
    expect(await recoverFrom(left)).toEqual(['wait 7', 'thaw 8', 'drop /staging/uid-1']);
  });

  it('is dropped at once where nothing runs for it', async () => {
    expect(await recoverFrom({ processes: [] })).toEqual(['drop /staging/uid-1']);
  });

  it('stays while its source cannot be set running: it is all that tells of it', async () => {
    const trouble = new Error('prlimit: no such program');
    expect(await recoverFrom(left, trouble)).toEqual(['violated NoFrozenOrphan']);
  });
});
