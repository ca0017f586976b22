import { kinds } from '../core/api/kinds.ts';
import { agentLeaseName, systemNamespace } from '../core/api/names.ts';
import { parseLease } from '../core/api/workload.ts';
import type { Clock } from '../core/clock.ts';
import type { Kube, ObjectKey } from '../runtime/kube-port.ts';
import { readRaw } from '../runtime/read-raw.ts';
import { AgentBeats, stampOf } from './agent-beats.ts';
import { read } from './read.ts';

/** What is known of the agent of a node. */
export type Heartbeat = {
  /** How long the heartbeat has stood still on our monotonic clock, outages of the API server not counted. */
  readonly silentMilliseconds: number;
  /** The API server says that there is no such node; only asked after a minute of silence. */
  readonly nodeGone: boolean;
};

type Memory = {
  readonly stamp: string;
  readonly silentMilliseconds: number;
  readonly checkedAt: number;
};

/** Several orders of one node share an answer this old. */
const freshMilliseconds = 5_000;
/** A longer pause between two answers is an outage of the API server, in which no agent could beat either. */
const longestCountedGapMilliseconds = 15_000;
/** After this long nobody was asking; what was counted before says nothing about now. */
const forgottenAfterMilliseconds = 60_000;
const askForNodeAfterMilliseconds = 60_000;
/** A beat that the watch showed this recently speaks for itself: agents beat every 10 s. */
const heardMilliseconds = 15_000;

/** How much of the time since the last answer counts as silence. */
export function countedSilence(gapMilliseconds: number): number {
  return Math.min(gapMilliseconds, longestCountedGapMilliseconds);
}

/**
 * How long the agents of nodes with orders in flight have been silent. Those that the watch hears cost no request. Of the others the API server
 * is asked: only its answers let an agent age, so a watch that has died is not taken for a silence. The lease's own times are only compared
 * for equality: no clock of a node is trusted. A Lease that is absent is one that never beats.
 */
export class Heartbeats {
  readonly #kube: Kube;
  readonly #clock: Clock;
  readonly #namespace: string;
  readonly #beats: Pick<AgentBeats, 'beatOf'>;
  readonly #nodes = new Map<string, Memory>();

  constructor(
    kube: Kube,
    clock: Clock,
    namespace: string = systemNamespace,
    beats: Pick<AgentBeats, 'beatOf'> = new AgentBeats(clock),
  ) {
    this.#kube = kube;
    this.#clock = clock;
    this.#namespace = namespace;
    this.#beats = beats;
  }

  /** Fails when the API server does not answer; such a time counts for nobody's silence. */
  async look(nodeName: string, signal: AbortSignal): Promise<Heartbeat> {
    const memory = this.#heard(nodeName) ?? (await this.#remembered(nodeName, signal));
    const { silentMilliseconds } = memory;
    const node: ObjectKey = { kind: kinds.node, namespace: '', name: nodeName };
    const nodeGone =
      silentMilliseconds >= askForNodeAfterMilliseconds &&
      (await readRaw(this.#kube, node, signal)) === undefined;
    return { silentMilliseconds, nodeGone };
  }

  #heard(nodeName: string): Memory | undefined {
    const beat = this.#beats.beatOf(nodeName);
    if (beat === undefined) return undefined;
    const now = this.#clock.monotonicMilliseconds();
    const silentMilliseconds = now - beat.atMonotonicMilliseconds;
    if (silentMilliseconds >= heardMilliseconds) return undefined;
    const memory = { stamp: beat.stamp, silentMilliseconds, checkedAt: now };
    this.#nodes.set(nodeName, memory);
    return memory;
  }

  async #remembered(nodeName: string, signal: AbortSignal): Promise<Memory> {
    const before = this.#nodes.get(nodeName);
    const now = this.#clock.monotonicMilliseconds();
    if (before !== undefined && now - before.checkedAt < freshMilliseconds) return before;
    const stamp = await this.#stamp(nodeName, signal);
    const answeredAt = this.#clock.monotonicMilliseconds();
    const gap = before === undefined ? Number.POSITIVE_INFINITY : answeredAt - before.checkedAt;
    const still = before?.stamp === stamp && gap < forgottenAfterMilliseconds;
    const memory: Memory = {
      stamp,
      silentMilliseconds: still ? (before?.silentMilliseconds ?? 0) + countedSilence(gap) : 0,
      checkedAt: answeredAt,
    };
    this.#nodes.set(nodeName, memory);
    return memory;
  }

  /** Changes with every beat; '' where there is no Lease or nobody holds it. */
  async #stamp(nodeName: string, signal: AbortSignal): Promise<string> {
    const name = agentLeaseName(nodeName);
    const key: ObjectKey = { kind: kinds.lease, namespace: this.#namespace, name };
    const lease = await read(this.#kube, key, parseLease, signal);
    return lease === undefined ? '' : stampOf(lease);
  }
}
