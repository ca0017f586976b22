import type {
  BackendProbe,
  Blocker,
  DumpResult,
  ProcessIdentity,
} from '../../../../../agent/capture/backend.ts';
import type { Intent } from '../../../../../agent/journal/journal.ts';
import type { Published } from '../../../../../agent/order/facts.ts';
import type { StagedFile } from '../../../../../agent/order/staging.ts';
import type { FakeClock } from '../../../../support/fake-clock.ts';
import { Trace } from './trace.ts';

/** A dump as it goes on in the world; it lives on when the agent that began it dies. */
export type FakeDump = {
  readonly criu: ProcessIdentity;
  readonly by: number;
  state: 'started' | 'held' | 'ended';
};

/** What outlives an agent: processes, disks, the store. */
export class FakeNode {
  readonly clock: FakeClock;
  readonly trace = new Trace();
  readonly journal = new Map<string, Intent>();
  readonly staging = new Map<string, StagedFile[]>();
  readonly references = new Map<string, Published>();
  readonly sentinels: { readonly name: string; readonly text: string }[] = [];
  readonly dumps: FakeDump[] = [];
  source: ProcessIdentity = { pid: 4711, startTicks: 99 };
  sourceAlive = true;
  /** How long CRIU takes to the hold, and the hold to the thaw. */
  dumpMilliseconds = 200;
  holdMilliseconds = 50;
  publishMilliseconds = 300;
  probe: BackendProbe = { usable: true, why: '', version: '4.2.1' };
  /** What preflight says a dump will write. */
  estimatedBytes = 1000;
  blockers: readonly Blocker[] = [];
  /** Thrown by the next calls of the store, one each. */
  readonly storeTrouble: Error[] = [];
  /** Makes CRIU fail before the hold with this error. */
  dumpTrouble: Error | undefined;
  bootID = 'boot-1';

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  get frozen(): boolean {
    return this.dumps.some((dump) => dump.state !== 'ended');
  }

  beginDump(by: number): FakeDump {
    const dump: FakeDump = {
      criu: { pid: 9000 + this.dumps.length, startTicks: 1 },
      by,
      state: 'started',
    };
    this.dumps.push(dump);
    this.trace.add(by, 'dump');
    return dump;
  }

  endDump(dump: FakeDump): void {
    if (dump.state === 'ended') return;
    dump.state = 'ended';
    this.trace.add(dump.by, 'dump-ended');
  }

  /** The agent's pipes are closed: CRIU fails at the hold at the latest and undoes everything. */
  agentDied(by: number): void {
    for (const dump of this.dumps) {
      if (dump.by === by) this.clock.after(this.dumpMilliseconds, () => this.endDump(dump));
    }
  }
}

/** A dump result with made-up figures. */
export const someDump: DumpResult = {
  freezeMilliseconds: 95,
  frozenAt: '2026-01-01T00:00:00Z',
  imagesDirectory: 'images',
  rootfsTar: 'rootfs.tar',
  volumeTars: [],
  mounts: [],
  stdio: [],
  options: [],
  criuVersion: '4.2.1',
};
