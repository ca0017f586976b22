import { kinds } from '../core/api/kinds.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import { EventBudget } from './event-budget.ts';
import type { Kube, RawObject } from './kube-port.ts';
import { microTime } from './lease-record.ts';
import type { Log } from './log.ts';

/** The object that an event is about. */
export type EventObject = {
  readonly kind: string;
  readonly apiVersion: string;
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
};

export type EventRecord = {
  readonly regarding: EventObject;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, what happened. */
  readonly reason: string;
  /** CamelCase, what was done or tried. */
  readonly action: string;
  /** For people; at most 1024 bytes are kept. */
  readonly note: string;
};

export type EventRecorder = {
  /** Queues an event and returns; never throws. */
  readonly record: (event: EventRecord) => void;
  /** Writes what is queued, or gives up when the signal aborts. Never throws. */
  readonly flush: (signal: AbortSignal) => Promise<void>;
};

export type EventRecorderOptions = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** `cryopod-agent`; who reports. */
  readonly controller: string;
  /** Pod name: which instance reports. */
  readonly instance: string;
  /** What became of events: written as new, counted into one that exists, or dropped. */
  readonly counted: (outcome: 'written' | 'counted' | 'dropped') => void;
};

/** The server refuses a longer note. */
const noteBytes = 1024;
const queueLimit = 1000;
const attempts = 3;
/** Equal events within this time are one event with a count. */
const seriesMilliseconds = 6 * 60_000;
/** A repetition is written at once the second time and then at most this often. */
const seriesWriteMilliseconds = 30_000;

type Series = {
  readonly key: { readonly namespace: string; readonly name: string };
  count: number;
  written: number;
  lastAt: number;
  writtenAt: number;
};

/** Records events through events.k8s.io/v1. Events tell people what happened; they are best effort and nothing may depend on them. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const recorder = new Recorder(options);
  return {
    record: (event) => recorder.record(event),
    flush: (signal) => recorder.flush(signal),
  };
}

class Recorder {
  readonly #options: EventRecorderOptions;
  readonly #queue: EventRecord[] = [];
  readonly #series = new Map<string, Series>();
  readonly #budget: EventBudget;
  #writing: Promise<void> | undefined;
  #abort = new AbortController();
  #number = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#budget = new EventBudget(options.clock);
  }

  record(event: EventRecord): void {
    if (this.#queue.length >= queueLimit || !this.#budget.allows(event.regarding.uid)) {
      this.#options.counted('dropped');
      return;
    }
    this.#queue.push(event);
    this.#writing ??= this.#drain();
  }

  async flush(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#abort.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    await this.#writing;
    signal.removeEventListener('abort', onAbort);
    this.#abort = new AbortController();
  }

  async #drain(): Promise<void> {
    // Lets the caller go on first: recording must cost it nothing.
    await Promise.resolve();
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      await this.#write(event);
    }
    this.#writing = undefined;
  }

  async #write(event: EventRecord): Promise<void> {
    const { clock, counted, log } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        counted(await this.#send(event));
        return;
      } catch (error) {
        const again = isFailure(error, 'retry', 'conflict') && attempt < attempts;
        if (!again || this.#abort.signal.aborted) {
          log.warn({ reason: event.reason, error: errorText(error) }, 'event not recorded');
          counted('dropped');
          return;
        }
        const asked = isFailure(error) ? error.retryAfterMilliseconds : undefined;
        await sleep(clock, asked ?? 500 * attempt, this.#abort.signal).catch(() => {});
      }
    }
  }

  async #send(event: EventRecord): Promise<'written' | 'counted'> {
    const { kube, clock } = this.#options;
    const { signal } = this.#abort;
    const now = clock.monotonicMilliseconds();
    this.#forgetOld(now);
    const same = JSON.stringify([
      event.regarding,
      event.type,
      event.reason,
      event.action,
      event.note,
    ]);
    const series = this.#series.get(same);
    if (series !== undefined) {
      series.count += 1;
      series.lastAt = now;
      const due = series.written === 1 || now - series.writtenAt >= seriesWriteMilliseconds;
      if (!due) return 'counted';
      const lastObservedTime = microTime(clock.wallMilliseconds());
      const body = { series: { count: series.count, lastObservedTime } };
      const key = { kind: kinds.event, ...series.key };
      try {
        await kube.patch(key, '', { type: 'merge', body }, signal);
        series.written = series.count;
        series.writtenAt = now;
        return 'counted';
      } catch (error) {
        // The server forgets events after an hour: then it is a new one.
        if (!isFailure(error, 'gone')) throw error;
        this.#series.delete(same);
      }
    }
    const body = this.#body(event);
    await kube.create(kinds.event, body, { dryRun: false }, signal);
    const key = body.metadata;
    this.#series.set(same, { key, count: 1, written: 1, lastAt: now, writtenAt: now });
    return 'written';
  }

  #body(event: EventRecord): RawObject & {
    readonly metadata: { readonly namespace: string; readonly name: string };
  } {
    const { clock, controller, instance } = this.#options;
    const { regarding } = event;
    this.#number += 1;
    // Unique for this instance: its start is in it by way of the clock, its own count by the number.
    const suffix = `${clock.wallMilliseconds().toString(36)}${this.#number.toString(36)}`;
    const name = `${regarding.name.slice(0, 200)}.${suffix}`;
    const namespace = regarding.namespace === '' ? 'default' : regarding.namespace;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: microTime(clock.wallMilliseconds()),
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      type: event.type,
      reason: event.reason,
      action: event.action,
      note: shortened(event.note),
      // An empty namespace would not match the event's own; absent it is allowed in `default`.
      regarding: regarding.namespace === '' ? without(regarding) : regarding,
    };
  }

  #forgetOld(now: number): void {
    for (const [same, series] of this.#series) {
      if (now - series.lastAt > seriesMilliseconds) this.#series.delete(same);
    }
  }
}

function without(regarding: EventObject): RawObject {
  const { namespace: _namespace, ...rest } = regarding;
  return rest;
}

/** Cut at a character, not inside one. */
function shortened(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= noteBytes) return note;
  const cut = bytes.subarray(0, noteBytes - 3).toString('utf8');
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}
