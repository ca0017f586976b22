import type {
  BackendProbe,
  Blocker,
  CaptureProcesses,
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
  readonly by: number;
  /** One CRIU for each container. */
  readonly parts: (CaptureProcesses & { state: 'started' | 'held' | 'ended' })[];
};

const isOver = (dump: FakeDump): boolean => dump.parts.every((part) => part.state === 'ended');

/** What outlives an agent: processes, disks, the store. */
export class FakeNode {
  readonly clock: FakeClock;
  readonly trace = new Trace();
  readonly journal = new Map<string, Intent>();
  readonly staging = new Map<string, StagedFile[]>();
  readonly references = new Map<string, Published>();
  readonly sentinels: {
    readonly container: string;
    readonly name: string;
    readonly text: string;
  }[] = [];
  readonly dumps: FakeDump[] = [];
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
    return this.dumps.some((dump) => !isOver(dump));
  }

  /** The first process of a container. */
  sourceOf(container: string): ProcessIdentity {
    return { pid: 4711 + container.length, startTicks: 99 };
  }

  beginDump(by: number, processes: readonly CaptureProcesses[]): FakeDump {
    const dump: FakeDump = {
      by,
      parts: processes.map((one) => ({ ...one, state: 'started' })),
    };
    this.dumps.push(dump);
    this.trace.add(by, 'dump');
    return dump;
  }

  endPart(dump: FakeDump, part: FakeDump['parts'][number]): void {
    if (part.state === 'ended') return;
    part.state = 'ended';
    if (isOver(dump)) this.trace.add(dump.by, 'dump-ended');
  }

  endDump(dump: FakeDump): void {
    for (const part of dump.parts) this.endPart(dump, part);
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
  containers: [],
  volumeTars: [],
  criuVersion: '4.2.1',
};
