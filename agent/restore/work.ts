import { randomBytes } from 'node:crypto';
import { sentinels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderFiles } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { sleep } from '../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import { type FoundSnapshot, readySnapshot } from '../../runtime/restorable-snapshot.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { CheckRequest, RestoreTarget } from './backend.ts';
import { planConnections } from './connections.ts';
import type { CachedArtifact, RestoreDeps } from './deps.ts';
import { fetchProgress } from './fetch-progress.ts';
import type { RestoreWorkView } from './observed.ts';
import { artifactOf } from './preparation.ts';
import { reportedPod } from './reported-pod.ts';

/** What a worker is given: placeholder containers of one pod and the snapshot for them. */
export type RestoreOrder = {
  readonly pod: Pod;
  /** Each with the init that was seen waiting; another one now is another container. */
  readonly containers: readonly { readonly name: string; readonly init: ProcessIdentity }[];
  /** Containers of the snapshot that run already; what they use is left alone. */
  readonly running: readonly string[];
  readonly content: PodSnapshotContent;
};

/** What there is to tell of a restore; milliseconds of putting the files, and of CRIU. */
type Restored = Omit<Extract<RestoreWorkView, { state: 'restored' }>, 'state'> & {
  readonly files: number;
  readonly criu: number;
};

/** A restore that takes longer says that it is under way. */
const lastingMilliseconds = 3000;
/** How long work that something outside of the pod was in the way of is left alone. */
const postponedMilliseconds = 10_000;
/** Why nothing is tried, as long as nothing in the pod was touched. */
const refusals: ReadonlySet<string> = new Set([
  ...['RestoreIncompatible', 'ArtifactCorrupt', 'ArtifactLost'],
]);
/** Conditions take more; people do not. */
const longestMessage = 4096;

/** A restored root may still be on its way from CRIU's launcher to the init. */
const adoptionMilliseconds = 2000;
const adoptionPauseMilliseconds = 20;

/** One attempt, running beside the reconciles. Fetching can be cancelled; what happens in the placeholder is carried through. */
export class RestoreWork {
  readonly #deps: RestoreDeps;
  readonly #order: RestoreOrder;
  readonly #stop = new AbortController();
  readonly #changed: () => void;
  readonly finished: Promise<void>;
  #view: RestoreWorkView = { state: 'running' };
  #doing = 'fetching the artifact';
  /** From here on the placeholders may be half of something: only their end makes them clean again. */
  #begun = false;
  #endedAt = 0;

  constructor(deps: RestoreDeps, order: RestoreOrder, changed: () => void) {
    this.#deps = deps;
    this.#order = order;
    this.#changed = changed;
    this.finished = this.#run();
  }

  get podUID(): string {
    return this.#order.pod.metadata.uid;
  }

  /** What it restores from, as it was when it began. */
  get snapshot(): FoundSnapshot {
    return readySnapshot(this.#order.content);
  }

  /** Whether all its containers are still the ones it worked on; one that has not said who it is counts as the same. */
  isFor(ticks: ReadonlyMap<string, number | undefined>): boolean {
    return this.#order.containers.every(
      ({ name, init }) => (ticks.get(name) ?? init.startTicks) === init.startTicks,
    );
  }

  /** Work that was put off is none any more after a while, so that it is begun again. */
  view(): RestoreWorkView {
    if (this.#view.state !== 'postponed') return this.#view;
    const now = this.#deps.clock.monotonicMilliseconds();
    return now < this.#endedAt + postponedMilliseconds ? this.#view : { state: 'none' };
  }

  cancel(why: Failure): void {
    this.#stop.abort(why);
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    let artifact: CachedArtifact | undefined;
    const { clock, metrics } = this.#deps;
    const begunAt = clock.monotonicMilliseconds();
    // A restore that is quick costs no write for it.
    const cancel = clock.after(lastingMilliseconds, () => {
      this.#view = { state: 'running', progress: this.#doing };
      this.#changed();
    });
    try {
      const { key, digest } = artifactOf(this.#order.content);
      // What is refused by what the artifact says about itself is refused before a gigabyte is fetched for it.
      const config = await this.#deps.cache.describe(key, digest, this.#stop.signal);
      await this.#gate(config, undefined);
      const fetchFrom = clock.monotonicMilliseconds();
      artifact = await this.#fetch(key, digest, config);
      const fetch = clock.monotonicMilliseconds() - fetchFrom;
      const { files, criu, ...told } = await this.#restore(artifact);
      this.#view = { state: 'restored', ...told };
      metrics.ended('RestoreSucceeded');
      const all = clock.monotonicMilliseconds() - begunAt;
      this.#log({ milliseconds: { all, fetch, files, criu } }, 'restored');
    } catch (error) {
      const refused = !this.#begun && isFailure(error, 'terminal', 'gone');
      const reason =
        refused && refusals.has(error.reason) ? 'RestoreIncompatible' : 'RestoreFailed';
      const message = errorText(error);
      const postponed = !this.#begun && isFailure(error, 'retry');
      this.#view = postponed
        ? { state: 'postponed', message }
        : { state: 'failed', reason, message };
      if (!postponed) metrics.ended(reason);
      this.#log({ outcome: this.#view.state, error: message }, 'not restored');
    } finally {
      cancel();
      this.#endedAt = clock.monotonicMilliseconds();
      artifact?.release();
      this.#changed();
    }
  }

  async #fetch(key: ReferenceKey, digest: string, config: ArtifactConfig): Promise<CachedArtifact> {
    const { cache, clock, metrics } = this.#deps;
    const startedAt = clock.monotonicMilliseconds();
    const onBytes = fetchProgress(clock, config.totals.sizeBytes, (progress) => {
      this.#view = { state: 'running', progress };
      this.#changed();
    });
    const artifact = await cache.fetch(key, digest, this.#stop.signal, onBytes);
    metrics.took('fetch', clock.monotonicMilliseconds() - startedAt);
    return artifact;
  }

  /** The placeholders that the snapshot may go into, and the pod as it was looked at. Throws RestoreIncompatible with all that is in the way. */
  async #gate(
    artifact: ArtifactConfig,
    filesDirectory: string | undefined,
  ): Promise<Pick<CheckRequest, 'targets' | 'pod'>> {
    const targets = this.#targets(artifact);
    const { signal } = this.#stop;
    const pod = await reportedPod(this.#deps, this.#order.pod, artifact, signal);
    const request = { ...{ targets, pod, artifact, filesDirectory } };
    const found = await this.#deps.backend.check(request, signal);
    if (found.length === 0) return { targets, pod };
    for (const { gate } of found) this.#deps.metrics.refused(gate);
    const message = found.map((refusal) => refusal.message).join('; ');
    throw new Failure('terminal', 'RestoreIncompatible', message.slice(0, longestMessage));
  }

  async #restore(artifact: CachedArtifact): Promise<Restored> {
    const gated = await this.#gate(artifact.config, artifact.directory);
    return this.#deps.slots.run(this.#stop.signal, () => this.#carryOut(artifact, gated));
  }

  async #carryOut(
    { config, directory }: CachedArtifact,
    { targets, pod: reported }: Pick<CheckRequest, 'targets' | 'pod'>,
  ): Promise<Restored> {
    const { backend, workDirectories, marks, metrics } = this.#deps;
    const { pod, containers, running, content } = this.#order;
    const { uid } = pod.metadata;
    this.#doing = 'restoring the processes';
    this.#begun = true;
    // Of two agents one gets to write it.
    for (const { name, init } of containers) {
      await marks.claim(uid, name, placeholderFiles.begun, String(init.startTicks));
    }
    await this.#mark(placeholderFiles.restored, () => freshIdentity());
    const plan = planConnections(config, reported);
    const attempt = containers.map(({ init }) => init.startTicks).join('-');
    const request = {
      ...{ targets, podUID: uid, connections: plan.connections },
      filesDirectory: directory,
      keptVolumes: volumesUsedBy(config, running),
      workDirectory: workDirectories.of(uid, attempt),
    };
    // Not to be cut short: it ends soon, and half a restore is worth nothing.
    const result = await backend.restore(request, AbortSignal.any([]));
    const { pids, filesMilliseconds, restoreMilliseconds, connectionsClosed } = result;
    metrics.took('apply', filesMilliseconds);
    metrics.took('restore', restoreMilliseconds);
    for (const [index, { placeholder }] of targets.entries()) {
      await this.#check(placeholder, pids[index] ?? 0);
    }
    await this.#mark(placeholderFiles.restoredPid, (index) => String(pids[index]));
    const size = formatBytes(config.totals.sizeBytes);
    const took = formatMilliseconds(restoreMilliseconds);
    const closed =
      plan.connections === 'Close' && connectionsClosed > 0
        ? `; established TCP connections closed: ${connectionsClosed}, because ${plan.why}`
        : '';
    const message = `${size} of PodSnapshot ${content.spec.snapshotRef.name} run again, restored in ${took}${closed}`;
    await this.#mark(sentinels.restoreComplete, () => message);
    await workDirectories.discardAttempt(uid, attempt);
    const bytesFetched = config.totals.sizeBytes;
    return {
      message,
      figures: { bytesFetched, restoreMilliseconds: Math.round(restoreMilliseconds) },
      ...{ files: filesMilliseconds, criu: restoreMilliseconds },
    };
  }

  #log(fields: Readonly<Record<string, unknown>>, text: string): void {
    const { namespace, name, uid } = this.#order.pod.metadata;
    this.#deps.log.info({ pod: `${namespace}/${name}`, podUID: uid, ...fields }, text);
  }

  async #mark(file: string, text: (index: number) => string): Promise<void> {
    const { pod, containers } = this.#order;
    for (const [index, { name }] of containers.entries()) {
      await this.#deps.marks.write(pod.metadata.uid, name, file, text(index));
    }
  }

  #targets(config: ArtifactConfig): readonly RestoreTarget[] {
    return this.#order.containers.map(({ name, init }) => {
      const container = config.containers.find((one) => one.name === name);
      if (container !== undefined) return { container, placeholder: init };
      const message = `the artifact holds no container ${name}`;
      throw new Failure('terminal', 'RestoreIncompatible', message);
    });
  }

  /** The tree is there and lives, and is the init's own by now. */
  async #check(placeholder: ProcessIdentity, pid: number): Promise<void> {
    const { clock, findRestored } = this.#deps;
    const giveUpAt = clock.monotonicMilliseconds() + adoptionMilliseconds;
    for (;;) {
      if ((await findRestored(placeholder, pid)) !== undefined) return;
      if (clock.monotonicMilliseconds() >= giveUpAt) {
        const message = `process ${pid} was restored and ended at once`;
        throw new Failure('terminal', 'RestoreFailed', message);
      }
      await sleep(clock, adoptionPauseMilliseconds, AbortSignal.any([]));
    }
  }
}

/** Two copies of one process must not draw the same numbers: as a VM generation ID, and something to seed with. */
const freshIdentity = (): string =>
  `generation=${randomBytes(16).toString('hex')}\nseed=${randomBytes(32).toString('hex')}`;

const volumesUsedBy = (
  config: ArtifactConfig,
  containers: readonly string[],
): ReadonlySet<string> =>
  new Set(
    config.containers
      .filter(({ name }) => containers.includes(name))
      .flatMap(({ volumes }) => volumes.map(({ name }) => name)),
  );
