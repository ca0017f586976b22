/** One thing that was seen to happen, in order. `by`: number of the agent process. */
export type Deed = {
  readonly by: number;
  readonly what:
    | 'dump'
    | 'dump-ended'
    | 'dropped-in-use'
    | 'blobs-durable'
    | 'reference'
    | 'ready'
    | 'failed'
    | 'sentinel'
    | 'source-ended';
  readonly detail: string;
};

/** What happened to one source and one order; the invariants are read from it. */
export class Trace {
  readonly deeds: Deed[] = [];

  add(by: number, what: Deed['what'], detail = ''): void {
    this.deeds.push({ by, what, detail });
  }

  /** Sentences about what must never be seen; empty when all is well. */
  violations(): readonly string[] {
    return [
      ...this.#oneDumpPerOrder(),
      ...this.#durableBeforeReady(),
      ...this.#readyBeforeRelease(),
      ...this.#endedOnlyIfReady(),
      ...this.#staleHolderWritesNothing(),
      ...this.#terminalIsFinal(),
      ...(this.#at('dropped-in-use') < 0 ? [] : ['staging was dropped under a running dump']),
    ];
  }

  #at(what: Deed['what']): number {
    return this.deeds.findIndex((deed) => deed.what === what);
  }

  #oneDumpPerOrder(): readonly string[] {
    let running = 0;
    for (const deed of this.deeds) {
      if (deed.what === 'dump') running += 1;
      if (deed.what === 'dump-ended') running -= 1;
      if (running > 1) return ['OneDumpPerOrder: two dumps ran at the same time'];
    }
    return [];
  }

  #durableBeforeReady(): readonly string[] {
    const ready = this.#at('ready');
    if (ready < 0) return [];
    const reference = this.#at('reference');
    const durable = this.#at('blobs-durable');
    const order = durable >= 0 && durable < reference && reference < ready;
    return order ? [] : ['DurableBeforeReady: Ready before blobs and reference were durable'];
  }

  #readyBeforeRelease(): readonly string[] {
    const sentinel = this.deeds.findIndex(
      (deed) => deed.what === 'sentinel' && deed.detail === 'snapshot-complete',
    );
    if (sentinel < 0) return [];
    const ready = this.#at('ready');
    return ready >= 0 && ready < sentinel
      ? []
      : ['ReadyBeforeRelease: snapshot-complete before Ready was stored'];
  }

  /** And only by the hold of the capture that became Ready: nothing ran on between the two. */
  #endedOnlyIfReady(): readonly string[] {
    const ended = this.#at('source-ended');
    if (ended < 0) return [];
    const before = this.deeds.slice(0, ended);
    if (!before.some((deed) => deed.what === 'ready')) {
      return ['FailureNeverKillsSource: the source was ended before Ready was stored'];
    }
    const lastDump = before.findLastIndex((deed) => deed.what === 'dump');
    const ranOn = before.slice(lastDump).some((deed) => deed.what === 'dump-ended');
    const published = before.findLastIndex((deed) => deed.what === 'reference');
    return !ranOn && published > lastDump
      ? []
      : ['FailureNeverKillsSource: the source was ended with an artifact it had gone on from'];
  }

  /** The last one to have dumped, or anyone after it, may write; nobody that came before the newest writer. */
  #staleHolderWritesNothing(): readonly string[] {
    let newest = 0;
    for (const deed of this.deeds) {
      if (deed.what !== 'reference' && deed.what !== 'ready' && deed.what !== 'failed') continue;
      if (deed.by < newest)
        return [`StaleHolderWritesNothing: agent ${deed.by} wrote ${deed.what}`];
      newest = deed.by;
    }
    return [];
  }

  #terminalIsFinal(): readonly string[] {
    const ends = this.deeds.filter((deed) => deed.what === 'ready' || deed.what === 'failed');
    return ends.length <= 1
      ? []
      : [`TerminalIsFinal: ended ${ends.length} times: ${ends.map((end) => end.what).join(', ')}`];
  }
}
