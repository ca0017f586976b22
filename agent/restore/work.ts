import { sentinels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderFiles } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { sleep } from '../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { RestoreTarget } from './backend.ts';
import type { CachedArtifact, RestoreDeps } from './deps.ts';
import type { RestoreWorkView } from './observed.ts';

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
      artifact = await this.#deps.cache.fetch(key, digest, this.#stop.signal);
      this.#view = { state: 'restored', ...(await this.#restore(artifact)) };
    } catch (error) {
      const incompatible = isFailure(error, 'terminal') && error.reason === 'RestoreIncompatible';
      const reason = incompatible ? 'RestoreIncompatible' : 'RestoreFailed';
      this.#view = { state: 'failed', reason, message: errorText(error) };
    } finally {
      artifact?.release();
      this.#changed();
    }
  }

  async #restore(
    artifact: CachedArtifact,
  ): Promise<Omit<Extract<RestoreWorkView, { state: 'restored' }>, 'state'>> {
    const { backend, workDirectory } = this.#deps;
    const { pod, containers, running, content } = this.#order;
    const { config, directory } = artifact;
    const targets = await this.#targets(config);
    await backend.check(targets, pod.metadata.uid);
    this.#view = { state: 'running' };
    // From here on the placeholders may be half of something: only their end makes them clean again.
    await this.#mark(placeholderFiles.begun, ({ ticks }) => String(ticks));
    const attempt = `${pod.metadata.uid}-${containers.map(({ ticks }) => ticks).join('-')}`;
    const request = {
      ...{ targets, podUID: pod.metadata.uid },
      filesDirectory: directory,
      keptVolumes: volumesUsedBy(config, running),
      workDirectory: `${workDirectory}/${attempt}`,
    };
    // Not to be cut short: it ends soon, and half a restore is worth nothing.
    const { pids, restoreMilliseconds } = await this.#tellingIfItLasts(() =>
      backend.restore(request, AbortSignal.any([])),
    );
    for (const [index, { placeholder }] of targets.entries()) {
      await this.#check(placeholder, pids[index] ?? 0);
    }
    await this.#mark(placeholderFiles.restoredPid, (_, index) => String(pids[index]));
    const size = formatBytes(config.totals.sizeBytes);
    const took = formatMilliseconds(restoreMilliseconds);
    const message = `${size} of PodSnapshot ${content.spec.snapshotRef.name} run again, restored in ${took}`;
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

const volumesUsedBy = (
  config: ArtifactConfig,
  containers: readonly string[],
): ReadonlySet<string> =>
  new Set(
    config.containers
      .filter(({ name }) => containers.includes(name))
      .flatMap(({ volumes }) => volumes.map(({ name }) => name)),
  );
