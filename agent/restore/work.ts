import { randomBytes } from 'node:crypto';
import { sentinels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderFiles } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { sleep } from '../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { CheckRequest, RestoreTarget } from './backend.ts';
import { planConnections } from './connections.ts';
import type { CachedArtifact, RestoreDeps } from './deps.ts';
import { fetchProgress } from './fetch-progress.ts';
import type { RestoreWorkView } from './observed.ts';
import { reportedPod } from './reported-pod.ts';

/** What a worker is given: placeholder containers of one pod and the snapshot for them. */
export type RestoreOrder = {
  readonly pod: Pod;
  /** Each with the init that was seen waiting; another one now is another container. */
  readonly containers: readonly { readonly name: string; readonly ticks: number }[];
  /** Containers of the snapshot that run already; what they use is left alone. */
  readonly running: readonly string[];
  readonly content: PodSnapshotContent;
};

/** A restore that takes longer says that it is under way. */
const lastingMilliseconds = 3000;
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
  /** From here on the placeholders may be half of something. */
  #begun = false;

  constructor(deps: RestoreDeps, order: RestoreOrder, changed: () => void) {
    this.#deps = deps;
    this.#order = order;
    this.#changed = changed;
    this.finished = this.#run();
  }

  get podUID(): string {
    return this.#order.pod.metadata.uid;
  }

  /** Whether all its containers are still the ones it worked on; one that has not said who it is counts as the same. */
  isFor(ticks: ReadonlyMap<string, number | undefined>): boolean {
    return this.#order.containers.every((one) => (ticks.get(one.name) ?? one.ticks) === one.ticks);
  }

  view(): RestoreWorkView {
    return this.#view;
  }

  cancel(why: Failure): void {
    this.#stop.abort(why);
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    let artifact: CachedArtifact | undefined;
    try {
      const { content } = this.#order;
      const { namespace } = content.spec.snapshotRef;
      const key = { namespace, contentUID: content.metadata.uid };
      const digest = content.status.artifact?.digest ?? '';
      // What is refused by what the artifact says about itself is refused before a gigabyte is fetched for it.
      const config = await this.#deps.cache.describe(key, digest, this.#stop.signal);
      await this.#gate(config, undefined);
      artifact = await this.#fetch(key, digest, config);
      this.#view = { state: 'restored', ...(await this.#restore(artifact)) };
      this.#deps.metrics.ended('RestoreSucceeded');
    } catch (error) {
      const refused = !this.#begun && isFailure(error, 'terminal', 'gone');
      const reason =
        refused && refusals.has(error.reason) ? 'RestoreIncompatible' : 'RestoreFailed';
      this.#view = { state: 'failed', reason, message: errorText(error) };
      this.#deps.metrics.ended(reason);
    } finally {
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
    const targets = await this.#targets(artifact);
    const { signal } = this.#stop;
    const pod = await reportedPod(this.#deps, this.#order.pod, artifact, signal);
    const request = { ...{ targets, pod, artifact, filesDirectory } };
    const found = await this.#deps.backend.check(request, signal);
    if (found.length === 0) return { targets, pod };
    for (const { gate } of found) this.#deps.metrics.refused(gate);
    const message = found.map((refusal) => refusal.message).join('; ');
    throw new Failure('terminal', 'RestoreIncompatible', message.slice(0, longestMessage));
  }

  async #restore(
    artifact: CachedArtifact,
  ): Promise<Omit<Extract<RestoreWorkView, { state: 'restored' }>, 'state'>> {
    const { backend, workDirectory, metrics } = this.#deps;
    const { pod, containers, running, content } = this.#order;
    const { config, directory } = artifact;
    const { targets, pod: reported } = await this.#gate(config, directory);
    this.#view = { state: 'running' };
    // From here on the placeholders may be half of something: only their end makes them clean again.
    this.#begun = true;
    await this.#mark(placeholderFiles.begun, ({ ticks }) => String(ticks));
    await this.#mark(placeholderFiles.restored, () => freshIdentity());
    const plan = planConnections(config, reported);
    const attempt = `${pod.metadata.uid}-${containers.map(({ ticks }) => ticks).join('-')}`;
    const request = {
      ...{ targets, podUID: pod.metadata.uid, connections: plan.connections },
      filesDirectory: directory,
      keptVolumes: volumesUsedBy(config, running),
      workDirectory: `${workDirectory}/${attempt}`,
    };
    // Not to be cut short: it ends soon, and half a restore is worth nothing.
    const result = await this.#tellingIfItLasts(() =>
      backend.restore(request, AbortSignal.any([])),
    );
    const { pids, restoreMilliseconds, connectionsClosed } = result;
    metrics.took('apply', result.filesMilliseconds);
    metrics.took('restore', restoreMilliseconds);
    for (const [index, { placeholder }] of targets.entries()) {
      await this.#check(placeholder, pids[index] ?? 0);
    }
    await this.#mark(placeholderFiles.restoredPid, (_, index) => String(pids[index]));
    const size = formatBytes(config.totals.sizeBytes);
    const took = formatMilliseconds(restoreMilliseconds);
    const closed =
      plan.connections === 'Close' && connectionsClosed > 0
        ? `; established TCP connections closed: ${connectionsClosed}, because ${plan.why}`
        : '';
    const message = `${size} of PodSnapshot ${content.spec.snapshotRef.name} run again, restored in ${took}${closed}`;
    await this.#mark(sentinels.restoreComplete, () => message);
    const bytesFetched = config.totals.sizeBytes;
    return {
      message,
      figures: { bytesFetched, restoreMilliseconds: Math.round(restoreMilliseconds) },
    };
  }

  /** A restore that is quick costs no write for it. */
  async #tellingIfItLasts<T>(restore: () => Promise<T>): Promise<T> {
    const cancel = this.#deps.clock.after(lastingMilliseconds, () => {
      this.#view = { state: 'running', progress: 'restoring the processes' };
      this.#changed();
    });
    try {
      return await restore();
    } finally {
      cancel();
    }
  }

  async #mark(
    file: string,
    text: (container: RestoreOrder['containers'][number], index: number) => string,
  ): Promise<void> {
    const { pod, containers } = this.#order;
    for (const [index, container] of containers.entries()) {
      const { marks } = this.#deps;
      await marks.write(pod.metadata.uid, container.name, file, text(container, index));
    }
  }

  /** The placeholders' inits, each the very one that was seen waiting. */
  async #targets(config: ArtifactConfig): Promise<readonly RestoreTarget[]> {
    this.#stop.signal.throwIfAborted();
    const { pod, containers } = this.#order;
    const names = containers.map(({ name }) => name);
    const inits = await this.#deps.resolve(pod, names, this.#stop.signal);
    return containers.map(({ name, ticks }, index) => {
      const container = config.containers.find((one) => one.name === name);
      const placeholder = inits[index]?.root;
      if (container === undefined) {
        const message = `the artifact holds no container ${name}`;
        throw new Failure('terminal', 'RestoreIncompatible', message);
      }
      if (placeholder?.startTicks === ticks) return { container, placeholder };
      const message = `container ${name} was started again meanwhile`;
      throw new Failure('terminal', 'RestoreFailed', message);
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
