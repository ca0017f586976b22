import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { RestoreDeps } from './deps.ts';

/** What can be done for a pod before its placeholder is there. Everything may be asked for again, and is done once. */
export class Preparation {
  readonly #deps: RestoreDeps;
  readonly #podUID: string;
  readonly #changed: () => void;
  readonly #stop = new AbortController();
  readonly #watches = new Map<string, () => void>();
  #fetched = false;

  constructor(deps: RestoreDeps, podUID: string, changed: () => void) {
    this.#deps = deps;
    this.#podUID = podUID;
    this.#changed = changed;
  }

  get podUID(): string {
    return this.#podUID;
  }

  /** Looks at the pod again as soon as this container waits. */
  watch(container: string): void {
    if (this.#watches.has(container)) return;
    const seen = (): void => {
      this.#watches.delete(container);
      this.#changed();
    };
    this.#watches.set(container, this.#deps.marks.watch(this.#podUID, container, seen));
  }

  /** Fetches the artifact into the node's cache. A failure is nobody's yet: the restore meets it again, and reports it. */
  fetchAhead(content: PodSnapshotContent): void {
    if (this.#fetched) return;
    this.#fetched = true;
    const { key, digest } = artifactOf(content);
    this.#deps.cache.fetch(key, digest, this.#stop.signal).then(
      (artifact) => artifact.release(),
      (error: unknown) => this.#deps.log.info({ pod: this.#podUID, error }, 'not fetched ahead'),
    );
  }

  end(): void {
    for (const close of this.#watches.values()) close();
    this.#watches.clear();
    this.#stop.abort();
  }
}

/** Where the bytes of a content are. */
export const artifactOf = (content: PodSnapshotContent) => ({
  key: { namespace: content.spec.snapshotRef.namespace, contentUID: content.metadata.uid },
  digest: content.status.artifact?.digest ?? '',
});
