import type {
  BackendProbe,
  Blocker,
  CaptureProcesses,
  DumpResult,
  ProcessIdentity,
} from '../../../../../agent/capture/backend.ts';
import type { Intent } from '../../../../../agent/journal/journal.ts';
import type { Published } from '../../../../../agent/order/facts.ts';
import { places, type Room } from '../../../../../agent/order/space.ts';
import type { StagedFile } from '../../../../../agent/order/staging.ts';
import type { FakeClock } from '../../../../support/fake-clock.ts';
import { Trace } from './trace.ts';

/** A dump as it goes on in the world; it lives on when the agent that began it dies. */
export type FakeDump = {
  readonly by: number;
  readonly stagingDirectory: string;
  /** One CRIU for each container. */
  readonly parts: (CaptureProcesses & { state: 'started' | 'held' | 'committed' | 'ended' })[];
};

/** Every CRIU of it has ended. */
export const isOver = (dump: FakeDump): boolean =>
  dump.parts.every((part) => part.state === 'ended');

/** What outlives an agent: processes, disks, the store. */
export class FakeNode {
  readonly clock: FakeClock;
  readonly trace = new Trace();
  readonly journal = new Map<string, Intent>();
  readonly staging = new Map<string, StagedFile[]>();
  readonly notes = new Map<string, string>();
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
  /** How long CRIU takes to end when it is told to. */
  abortMilliseconds = 0;
  probe: BackendProbe = { usable: true, why: '', version: '4.2.1' };
  /** What preflight says a dump will write. */
  estimatedBytes = 1000;
  blockers: readonly Blocker[] = [];
  /** Thrown by the next calls of the store, one each. */
  readonly storeTrouble: Error[] = [];
  /** Thrown by a publish that is going on. */
  publishTrouble: Error | undefined;
  /** Makes CRIU fail before the hold with this error. */
  dumpTrouble: Error | undefined;
  bootID = 'boot-1';
  journalLost = false;
  /** Free bytes of the file system of the staging directory and of the store's. */
  freeBytes = { staging: 1_000_000, store: 1_000_000 };
  /** Why captures of low priority are to wait. */
  pressure: string | undefined;
  parallelPublishes = 2;

  readonly #whenEnded = new Map<FakeDump, (() => void)[]>();

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  rooms(): readonly Room[] {
    return places.map((place) => ({
      ...{ place, directory: `/${place}`, device: place },
      freeBytes: this.freeBytes[place],
    }));
  }

  get frozen(): boolean {
    return this.dumps.some((dump) => !isOver(dump));
  }

  /** What a damaged file leaves of the journal: nothing, and the word of it. */
  loseJournal(): void {
    this.journal.clear();
    this.journalLost = true;
  }

  /** The first process of a container. */
  sourceOf(container: string): ProcessIdentity {
    return { pid: 4711 + container.length, startTicks: 99 };
  }

  beginDump(
    by: number,
    stagingDirectory: string,
    processes: readonly CaptureProcesses[],
  ): FakeDump {
    const dump: FakeDump = {
      by,
      stagingDirectory,
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
    for (const told of this.#whenEnded.get(dump) ?? []) told();
  }

  endDump(dump: FakeDump): void {
    for (const part of dump.parts) this.endPart(dump, part);
  }

  /** The dumps and parts that these processes are. */
  partsOf(processes: readonly Pick<CaptureProcesses, 'criu'>[]) {
    const known = processes.map(({ criu }) => criu?.pid);
    return this.dumps.flatMap((dump) =>
      dump.parts.filter((part) => known.includes(part.criu?.pid)).map((part) => ({ dump, part })),
    );
  }

  whenEnded(dump: FakeDump, tell: () => void): void {
    this.#whenEnded.set(dump, [...(this.#whenEnded.get(dump) ?? []), tell]);
  }

  /** From now on the death of its agent does not end it. */
  commitPart(part: FakeDump['parts'][number]): boolean {
    if (part.state === 'held') part.state = 'committed';
    return part.state === 'committed';
  }

  /** CRIU ends the tree. */
  endSource(by: number): void {
    if (!this.sourceAlive) return;
    this.sourceAlive = false;
    this.trace.add(by, 'source-ended');
  }

  /** The agent's pipes are closed: CRIU fails at the hold at the latest and undoes everything. */
  agentDied(by: number): void {
    for (const dump of this.dumps) {
      if (dump.by !== by) continue;
      for (const part of dump.parts) {
        if (part.state === 'committed') continue;
        this.clock.after(this.dumpMilliseconds, () => this.endPart(dump, part));
      }
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
