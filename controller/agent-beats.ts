import { agentLeaseName, annotations } from '../core/api/names.ts';
import type { Lease } from '../core/api/workload.ts';
import type { Clock } from '../core/clock.ts';

/** Where an agent puts bytes, as its heartbeat says. `sharedID`: the same for all agents that see the same bytes; undefined for a node's own. */
export type AgentStore = { readonly name: string; readonly sharedID: string | undefined };

/** The last beat of an agent that a watch has shown. */
export type Beat = { readonly stamp: string; readonly atMonotonicMilliseconds: number };

/** An agent that beats every 10 s and was not heard for this long is not one to give work to. */
const livingMilliseconds = 30_000;
const leasePrefix = agentLeaseName('');

/** Changes with every beat; '' where nobody holds the Lease. Its times are compared for equality only. */
export function stampOf({ metadata, spec }: Lease): string {
  if (!spec.holderIdentity) return '';
  return `${metadata.uid} ${spec.holderIdentity} ${spec.renewTime}`;
}

/** A heartbeat Lease, as it has stood since the moment given. */
export type StandingLease = {
  readonly nodeName: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly sinceMonotonicMilliseconds: number;
};

type Sight = {
  readonly beat: Beat | undefined;
  readonly store: AgentStore;
  readonly lease: StandingLease | undefined;
};

/**
 * What a watch of the heartbeat Leases has shown so far. It only ever proves that an agent beats: a watch that stands still looks just like
 * agents that do, so silence is never concluded from here.
 */
export class AgentBeats {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, Sight>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A Lease as the watch shows it; undefined when it is gone. `name` is the Lease's. Returns whether an agent begins to beat that was not heard
   * before, or not for long.
   */
  seen(name: string, lease: Lease | undefined): boolean {
    if (!name.startsWith(leasePrefix)) return false;
    const nodeName = name.slice(leasePrefix.length);
    const before = this.#nodes.get(nodeName);
    if (lease === undefined) {
      // The store is remembered: whose bytes they are must not depend on who tidies up Leases.
      const gone = { beat: undefined, lease: undefined };
      if (before !== undefined) this.#nodes.set(nodeName, { ...before, ...gone });
      return false;
    }
    const { uid, resourceVersion } = lease.metadata;
    const standing = {
      ...{ nodeName, uid, resourceVersion },
      sinceMonotonicMilliseconds: this.#clock.monotonicMilliseconds(),
    };
    const { [annotations.store]: storeName = '', [annotations.sharedStore]: sharedID = '' } =
      lease.metadata.annotations;
    const store = { name: storeName, sharedID: sharedID === '' ? undefined : sharedID };
    const beat = this.#beatOf(before?.beat, lease);
    const arrives = this.#isHeard(beat) && !this.#isHeard(before?.beat);
    this.#nodes.set(nodeName, {
      ...{ beat, store },
      lease: before?.lease?.resourceVersion === resourceVersion ? before.lease : standing,
    });
    return arrives;
  }

  #isHeard(beat: Beat | undefined): boolean {
    if (beat === undefined) return false;
    const age = this.#clock.monotonicMilliseconds() - beat.atMonotonicMilliseconds;
    return age < livingMilliseconds;
  }

  #beatOf(before: Beat | undefined, lease: Lease): Beat | undefined {
    const stamp = stampOf(lease);
    if (stamp === '') return undefined;
    if (before?.stamp === stamp) return before;
    return { stamp, atMonotonicMilliseconds: this.#clock.monotonicMilliseconds() };
  }

  beatOf(nodeName: string): Beat | undefined {
    return this.#nodes.get(nodeName)?.beat;
  }

  storeOf(nodeName: string): AgentStore | undefined {
    return this.#nodes.get(nodeName)?.store;
  }

  /** Heartbeat Leases that nobody has written for so long, as far as the watch shows. */
  standing(milliseconds: number): readonly StandingLease[] {
    const before = this.#clock.monotonicMilliseconds() - milliseconds;
    return [...this.#nodes.values()].flatMap(({ lease }) =>
      lease !== undefined && lease.sinceMonotonicMilliseconds <= before ? [lease] : [],
    );
  }

  /** Nodes whose agent was heard just now and whose store is one that is wanted, in order. */
  living(isWanted: (store: AgentStore) => boolean): readonly string[] {
    return [...this.#nodes]
      .filter(([, { beat, store }]) => this.#isHeard(beat) && isWanted(store))
      .map(([nodeName]) => nodeName)
      .toSorted();
  }
}
