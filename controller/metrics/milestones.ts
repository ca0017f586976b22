import type { Clock } from '../../core/clock.ts';
import type { Standing } from './standing.ts';

/** Where the figures of a kind's objects go. */
export type MilestoneObserver = {
  readonly bound: (seconds: number) => void;
  readonly ready: (seconds: number) => void;
  /** Writes that this process sent to an object from its creation to its end. */
  readonly written: (writes: number) => void;
};

type Course = {
  uid: string;
  /** Monotonic moment of the object's creation, as well as it can be known. */
  startedAt: number;
  bound: boolean;
  ended: boolean;
  writes: number;
  /** Seen from its creation on, so that `writes` is all of them. */
  whole: boolean;
};

/** Creation times are whole seconds, so an age below this says less than the moment at which the object was first seen. */
const coarseMilliseconds = 2_000;

/**
 * Follows the objects of one kind from creation to end and reports each milestone once, in the process that leads. What a predecessor
 * brought to a milestone is not reported again.
 */
export class Milestones {
  readonly #clock: Clock;
  readonly #serverMilliseconds: () => number;
  readonly #observer: MilestoneObserver;
  readonly #courses = new Map<string, Course>();

  /** `serverMilliseconds` is the API server's wall clock; creation times are told by it. */
  constructor(clock: Clock, serverMilliseconds: () => number, observer: MilestoneObserver) {
    this.#clock = clock;
    this.#serverMilliseconds = serverMilliseconds;
    this.#observer = observer;
  }

  /** An object that was there when this process began to lead. */
  found(key: string, standing: Standing): void {
    const { uid, bound, end } = standing;
    const ended = end !== 'open';
    const startedAt = this.#startOf(standing);
    this.#courses.set(key, { uid, startedAt, bound, ended, writes: 0, whole: false });
  }

  /** A write to the object leaves. */
  sent(key: string, operation: 'create' | 'other'): void {
    const course = this.#courses.get(key);
    if (course !== undefined) course.writes += 1;
    // Not seen yet: what we create ourselves begins with this write.
    else if (operation === 'create') this.#courses.set(key, this.#fresh('', 1));
  }

  /** The object as the cache shows it now; undefined when it is gone. */
  look(key: string, standing: Standing | undefined): void {
    if (standing === undefined) {
      // What we have just created and the cache does not show yet is not gone.
      if (this.#courses.get(key)?.uid !== '') this.#courses.delete(key);
      return;
    }
    const course = this.#courseOf(key, standing);
    const seconds = (this.#clock.monotonicMilliseconds() - course.startedAt) / 1000;
    if (standing.bound && !course.bound) {
      course.bound = true;
      this.#observer.bound(seconds);
    }
    if (standing.end === 'open' || course.ended) return;
    course.ended = true;
    if (standing.end === 'ready') this.#observer.ready(seconds);
    if (course.whole) this.#observer.written(course.writes);
  }

  #courseOf(key: string, standing: Standing): Course {
    const known = this.#courses.get(key);
    if (known?.uid === standing.uid) return known;
    // A successor under the same name starts anew, but for the write that made it.
    const writes = known?.uid === '' ? known.writes : 0;
    const course = this.#fresh(standing.uid, writes);
    course.startedAt = this.#startOf(standing);
    this.#courses.set(key, course);
    return course;
  }

  #fresh(uid: string, writes: number): Course {
    const startedAt = this.#clock.monotonicMilliseconds();
    return { uid, startedAt, bound: false, ended: false, writes, whole: true };
  }

  #startOf({ createdAt }: Standing): number {
    const age = this.#serverMilliseconds() - Date.parse(createdAt);
    const known = Number.isNaN(age) || age < coarseMilliseconds ? 0 : age;
    return this.#clock.monotonicMilliseconds() - known;
  }
}
