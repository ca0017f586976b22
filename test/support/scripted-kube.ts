import type { Kube, Page, RawObject, Selection, WatchEvent } from '../../runtime/kube-port.ts';

/** What a list answers: a page, or the failure it meets. */
export type ScriptedList = Page | Error;

/** What one watch does: yields events; throws where a failure stands; a promise in between holds it up; ends after the last. */
export type ScriptedStream = readonly (WatchEvent | Error | Promise<unknown>)[];

export type ListRequest = Parameters<Kube['list']>[0];
export type WatchRequest = Parameters<Kube['watch']>[0];

/** A transport that plays a script. After its end lists answer the last page again and watches stay open until aborted. */
export class ScriptedKube implements Kube {
  readonly lists: ListRequest[] = [];
  readonly watches: WatchRequest[] = [];
  readonly #pages: ScriptedList[];
  readonly #streams: ScriptedStream[];
  #last: Page = page([], '1');
  openStreams = 0;

  constructor(script: {
    readonly lists: readonly ScriptedList[];
    readonly streams: readonly ScriptedStream[];
  }) {
    this.#pages = [...script.lists];
    this.#streams = [...script.streams];
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<Page> {
    signal.throwIfAborted();
    this.lists.push(request);
    const answer = this.#pages.shift() ?? this.#last;
    if (answer instanceof Error) throw answer;
    this.#last = answer;
    return answer;
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchEvent> {
    this.watches.push(request);
    this.openStreams += 1;
    try {
      for (const step of this.#streams.shift() ?? [new Promise(() => {})]) {
        signal.throwIfAborted();
        if (step instanceof Error) throw step;
        if (step instanceof Promise) await Promise.race([step, aborted(signal)]);
        else yield step;
      }
    } finally {
      this.openStreams -= 1;
    }
  }

  get(): Promise<RawObject> {
    throw new Error('the script has no get');
  }

  create(): Promise<RawObject> {
    throw new Error('the script has no create');
  }

  patch(): Promise<RawObject> {
    throw new Error('the script has no patch');
  }

  delete(): Promise<void> {
    throw new Error('the script has no delete');
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** A page of a list. */
export function page(items: readonly RawObject[], resourceVersion: string, next = ''): Page {
  return { items, resourceVersion, continue: next };
}

/** A raw object with no more than an identity, and labels where wanted. */
export function rawObject(
  kind: Selection['kind'],
  name: string,
  resourceVersion: string,
  labels: Readonly<Record<string, string>> = {},
): RawObject {
  const metadata = {
    ...(kind.namespaced ? { namespace: 'default' } : {}),
    name,
    uid: `uid-of-${name}`,
    resourceVersion,
    labels,
    managedFields: [{ manager: 'somebody' }],
  };
  return { apiVersion: kind.version, kind: kind.kind, metadata };
}
