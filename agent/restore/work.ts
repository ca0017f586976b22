import { sentinels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderFiles } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { sleep } from '../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { CachedArtifact, RestoreDeps } from './deps.ts';
import type { RestoreWorkView } from './observed.ts';

/** What a worker is given: one placeholder container and the snapshot for it. */
export type RestoreOrder = {
  readonly pod: Pod;
  readonly container: string;
  /** The init that was seen waiting; another one now is another container. */
  readonly ticks: number;
  readonly content: PodSnapshotContent;
};

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
  #view: RestoreWorkView = { state: 'running', message: 'fetching the artifact' };

  constructor(deps: RestoreDeps, order: RestoreOrder, changed: () => void) {
    this.#deps = deps;
    this.#order = order;
    this.#changed = changed;
    this.finished = this.#run();
  }

  get podUID(): string {
    return this.#order.pod.metadata.uid;
  }

  get ticks(): number {
    return this.#order.ticks;
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
      this.#view = { state: 'restored', message: await this.#restore(artifact) };
    } catch (error) {
      const incompatible = isFailure(error, 'terminal') && error.reason === 'RestoreIncompatible';
      const reason = incompatible ? 'RestoreIncompatible' : 'RestoreFailed';
      this.#view = { state: 'failed', reason, message: errorText(error) };
    } finally {
      artifact?.release();
      this.#changed();
    }
  }

  async #restore(artifact: CachedArtifact): Promise<string> {
    const { marks, backend, workDirectory } = this.#deps;
    const { pod, container: name, ticks } = this.#order;
    const container = artifact.config.containers.find((one) => one.name === name);
    if (container === undefined || artifact.config.containers.length > 1) {
      const held = artifact.config.containers.map((one) => one.name).join(', ');
      const message = `the artifact holds ${held}; one container, ${name}, can be restored`;
      throw new Failure('terminal', 'RestoreIncompatible', message);
    }
    const placeholder = await this.#placeholder();
    this.#view = { state: 'running', message: 'restoring the process' };
    const { uid } = pod.metadata;
    const mark = (file: string, text: string): Promise<void> => marks.write(uid, name, file, text);
    // From here on the placeholder may be half of something: only its end makes it clean again.
    await mark(placeholderFiles.begun, String(ticks));
    const result = await backend.restore(
      {
        podUID: uid,
        placeholder,
        container,
        filesDirectory: artifact.directory,
        workDirectory: `${workDirectory}/${uid}-${name}-${ticks}`,
      },
      AbortSignal.any([]),
    );
    await this.#check(placeholder, result.pid);
    await mark(placeholderFiles.restoredPid, String(result.pid));
    const { sizeBytes } = artifact.config.totals;
    const took = formatMilliseconds(result.restoreMilliseconds);
    const message = `${formatBytes(sizeBytes)} of PodSnapshot ${this.#order.content.spec.snapshotRef.name} run again, restored in ${took}`;
    await mark(sentinels.restoreComplete, message);
    return message;
  }

  async #placeholder(): Promise<ProcessIdentity> {
    this.#stop.signal.throwIfAborted();
    const { pod, container, ticks } = this.#order;
    const found = await this.#deps.resolve(pod, container, this.#stop.signal);
    if (found.startTicks === ticks) return found;
    const message = `container ${container} was started again meanwhile`;
    throw new Failure('terminal', 'RestoreFailed', message);
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
