import { type Kind, kinds } from '../../../core/api/kinds.ts';
import { contentName } from '../../../core/api/names.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { identityOf, isRecord, recordAt } from '../../../runtime/raw-object.ts';

/** When one process, on one monotonic clock, learned of each step of a capture. Milliseconds. */
export type Course = {
  /** The create was sent. */
  sent?: number;
  /** Seen on the watch, from here on. */
  shown?: number;
  contentShown?: number;
  contentUID?: string;
  bound?: number;
  contentReady?: number;
  ready?: number;
  failed?: number;
};

/** A step of a capture. */
export type Moment = Exclude<keyof Course, 'contentUID'>;

const isTrue = (object: RawObject, type: string): boolean => {
  const { conditions } = recordAt(object, 'status');
  return (
    Array.isArray(conditions) &&
    conditions.filter(isRecord).some((one) => one.type === type && one.status === 'True')
  );
};

/**
 * Sees every change of snapshots and contents as any client would, so that no clock but its own is involved: what it measures includes the way from the API
 * server to a watcher, for the controller as for itself.
 */
export class Hops {
  readonly courses = new Map<string, Course>();
  readonly #kube: ConnectedKube;
  readonly #stop = new AbortController();
  #failed: unknown;

  constructor(kube: ConnectedKube) {
    this.#kube = kube;
  }

  /** Resolves once both watches have their starting point; they go on behind. */
  async start(): Promise<void> {
    const watch = async (kind: Kind, see: (object: RawObject) => void): Promise<void> => {
      const { signal } = this.#stop;
      const { resourceVersion } = await this.#kube.list({ kind, limit: 1 }, signal);
      void this.#follow(kind, resourceVersion, see).catch((error: unknown) => {
        if (!signal.aborted) this.#failed = error;
      });
    };
    await watch(kinds.podSnapshot, (object) => this.#snapshot(object));
    await watch(kinds.podSnapshotContent, (object) => this.#content(object));
  }

  /** When the create of a snapshot was sent. */
  sent(uid: string, at: number): void {
    this.#course(contentName(uid)).sent = at;
  }

  /** Snapshots seen that have not ended. Throws when a watch broke: its figures would lie. */
  open(): number {
    if (this.#failed !== undefined) throw this.#failed;
    const isOpen = (one: Course): boolean => one.ready === undefined && one.failed === undefined;
    return [...this.courses.values()].filter(isOpen).length;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(kind: Kind, from: string, see: (object: RawObject) => void): Promise<void> {
    let resourceVersion = from;
    while (!this.#stop.signal.aborted) {
      const selection = { kind, resourceVersion, timeoutSeconds: 3600 };
      for await (const event of this.#kube.watch(selection, this.#stop.signal)) {
        if (event.type === 'ERROR') throw new Error(JSON.stringify(event.object));
        resourceVersion = identityOf(event.object).resourceVersion || resourceVersion;
        if (event.type === 'ADDED' || event.type === 'MODIFIED') see(event.object);
      }
    }
  }

  #snapshot(object: RawObject): void {
    const course = this.#course(contentName(identityOf(object).uid));
    const now = performance.now();
    course.shown ??= now;
    if (recordAt(object, 'status').boundSnapshotContentName !== undefined) course.bound ??= now;
    if (isTrue(object, 'Ready')) course.ready ??= now;
    if (isTrue(object, 'Failed')) course.failed ??= now;
  }

  #content(object: RawObject): void {
    const { name, uid } = identityOf(object);
    const course = this.#course(name);
    const now = performance.now();
    course.contentShown ??= now;
    course.contentUID = uid;
    if (isTrue(object, 'Ready')) course.contentReady ??= now;
  }

  /** By the name of the content, which both sides know. */
  #course(name: string): Course {
    const course = this.courses.get(name) ?? {};
    this.courses.set(name, course);
    return course;
  }
}

/** What is measured of each capture, and what it tells. */
export const hops = {
  'create sent -> snapshot shown to a watcher': ['sent', 'shown'],
  'snapshot shown -> content shown': ['shown', 'contentShown'],
  'content shown -> bound': ['contentShown', 'bound'],
  'content Ready -> snapshot Ready': ['contentReady', 'ready'],
} as const satisfies Record<string, readonly [Moment, Moment]>;

/** The lengths of one hop in milliseconds; two watches may show things in either order, which counts as no time. */
export function lengthsOf(
  courses: Iterable<Course>,
  [from, to]: readonly [Moment, Moment],
): readonly number[] {
  return [...courses].flatMap((course) => {
    const [start, end] = [course[from], course[to]];
    return start === undefined || end === undefined ? [] : [Math.max(0, end - start)];
  });
}
