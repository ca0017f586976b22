import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { type Kind, kinds } from '../../../../core/api/kinds.ts';
import {
  agentLeaseName,
  finalizers,
  heartbeatMarks,
  systemNamespace,
} from '../../../../core/api/names.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../../core/api/pod-snapshot-content.ts';
import { type Job, parseJob } from '../../../../core/api/workload.ts';
import { isFailure } from '../../../../core/failure.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, recordAt, textAt } from '../../../../runtime/raw-object.ts';
import type { FakeClock } from '../../../support/fake-clock.ts';
import type { MemoryKube } from '../../../support/memory-kube.ts';
import { capturedStatus, failedStatus, podObject } from '../support/cluster.ts';

const never = new AbortController().signal;
/** The one node of the model. */
export const nodeName = 'node-a';

/** What everybody but the controller needs to act. */
export type Actor = { readonly server: MemoryKube; readonly clock: FakeClock };

/** A write of an actor, and whether the server took it. */
export async function attempt(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return false;
  }
}

const keyOf = (kind: Kind, object: RawObject) => {
  const { name, namespace } = identityOf(object);
  return { kind, namespace, name };
};

/** One of the objects of a kind. */
export function pickObject({ server }: Actor, kind: Kind, pick: number): RawObject | undefined {
  const all = server.all(kind);
  return all[pick % Math.max(1, all.length)];
}

/** A deletion by somebody who is allowed to. */
export async function remove(actor: Actor, kind: Kind, pick: number): Promise<void> {
  const object = pickObject(actor, kind, pick);
  if (object !== undefined) await attempt(actor.server.delete(keyOf(kind, object), {}, never));
}

export const create = (actor: Actor, kind: Kind, object: RawObject): Promise<boolean> =>
  attempt(actor.server.create(kind, object, { dryRun: false }, never));

/** A change of an object; with `status` of its status. */
export const change = (
  { server }: Actor,
  kind: Kind,
  object: RawObject,
  part: '' | 'status',
  body: RawObject,
): Promise<boolean> =>
  attempt(server.patch(keyOf(kind, object), part, { type: 'merge', body }, never));

/** The user asks for the end of a capture. */
export async function cancel(actor: Actor, pick: number): Promise<void> {
  const snapshot = pickObject(actor, kinds.podSnapshot, pick);
  if (snapshot === undefined) return;
  await change(actor, kinds.podSnapshot, snapshot, '', { spec: { cancel: true } });
}

function read<T>(parsed: { ok: true; value: T } | { ok: false; message: string }): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const isOver = ({ status }: Job): boolean =>
  status.conditions.some(({ type, status: state }) => type !== 'Suspended' && state === 'True');

/** The Job controller, the scheduler and the kubelet. */
export class Jobs {
  readonly #actor: Actor;

  constructor(actor: Actor) {
    this.#actor = actor;
  }

  /** Jobs get their pods, or pods their node. */
  async run(): Promise<void> {
    const { server } = this.#actor;
    const pods = server.all(kinds.pod);
    for (const raw of server.all(kinds.job)) {
      const job = read(parseJob(raw));
      const { name, uid } = job.metadata;
      const has = pods.some((pod) =>
        JSON.stringify(recordAt(pod, 'metadata').ownerReferences ?? []).includes(`"${uid}"`),
      );
      if (has || isOver(job)) continue;
      const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true };
      const { metadata } = recordAt(recordAt(raw, 'spec'), 'template') as { metadata?: RawObject };
      const labels = recordAt(metadata ?? {}, 'labels');
      const pod = podObject(`${name}-${uid}`, { owner, labels });
      await create(this.#actor, kinds.pod, pod);
    }
    for (const pod of pods) {
      if (recordAt(pod, 'spec').nodeName !== undefined) continue;
      await change(this.#actor, kinds.pod, pod, '', { spec: { nodeName } });
    }
  }

  /** A Job ends; its pod with it. */
  async end(pick: number, type: 'Failed' | 'Complete', reason: string): Promise<void> {
    const raw = pickObject(this.#actor, kinds.job, pick);
    if (raw === undefined || isOver(read(parseJob(raw)))) return;
    const ended = { type, status: 'True', reason, message: '' };
    const targeted = type === 'Failed' ? [{ ...ended, type: 'FailureTarget' }] : [];
    await change(this.#actor, kinds.job, raw, 'status', {
      status: { conditions: [...targeted, ended] },
    });
    const { uid } = identityOf(raw);
    const phase = type === 'Failed' ? 'Failed' : 'Succeeded';
    for (const pod of this.#actor.server.all(kinds.pod)) {
      if (!identityOf(pod).name.endsWith(`-${uid}`)) continue;
      await change(this.#actor, kinds.pod, pod, 'status', { status: { phase } });
    }
  }

  /** Jobs past their deadline fail. */
  async enforceDeadlines(): Promise<void> {
    const now = this.#actor.clock.wallMilliseconds();
    for (const [index, raw] of this.#actor.server.all(kinds.job).entries()) {
      const seconds = Number(recordAt(raw, 'spec').activeDeadlineSeconds ?? 0);
      const createdAt = Date.parse(textAt(recordAt(raw, 'metadata'), 'creationTimestamp'));
      if (seconds > 0 && now >= createdAt + seconds * 1000) {
        await this.end(index, 'Failed', 'DeadlineExceeded');
      }
    }
  }
}

/** An agent writes Ready once at the most, so one that says anything of Ready has ended. */
const isOpen = ({ status }: PodSnapshotContent): boolean =>
  findCondition(status.conditions, 'Ready') === undefined;

/** The agent of the node, by what it writes: the status of its orders, and its heartbeat. */
export class Agent {
  alive = true;
  /** UIDs of the orders whose bytes lie in its store. */
  readonly stored = new Set<string>();
  /** When it last beat, on the monotonic clock. */
  beatAt = Number.NEGATIVE_INFINITY;
  readonly #actor: Actor;
  /** Orders without cancel and deletion as it read them before it would write Ready. */
  #read: PodSnapshotContent[] = [];
  /** Its journal: stored, and Ready not known to be written. */
  readonly #unreported = new Set<string>();

  constructor(actor: Actor) {
    this.#actor = actor;
  }

  async beat(): Promise<void> {
    if (!this.alive) return;
    const { server, clock } = this.#actor;
    this.beatAt = clock.monotonicMilliseconds();
    const name = agentLeaseName(nodeName);
    const renewTime = new Date(clock.wallMilliseconds()).toISOString();
    const spec = { holderIdentity: 'agent', renewTime, leaseDurationSeconds: 30 };
    const { labels } = heartbeatMarks({ name: 'dir', sharedID: '' });
    const metadata = { name, namespace: systemNamespace, labels };
    if (server.peek({ kind: kinds.lease, namespace: systemNamespace, name }) === undefined) {
      await create(this.#actor, kinds.lease, { metadata, spec });
    } else await change(this.#actor, kinds.lease, { metadata }, '', { spec });
  }

  #orders(): readonly PodSnapshotContent[] {
    const { server } = this.#actor;
    return server
      .all(kinds.podSnapshotContent)
      .map((raw) => read(parsePodSnapshotContent(raw)))
      .filter(({ metadata }) => metadata.finalizers.includes(finalizers.content));
  }

  #order(pick: number): PodSnapshotContent | undefined {
    const orders = this.alive ? this.#orders() : [];
    return orders[pick % Math.max(1, orders.length)];
  }

  async #write({ metadata }: PodSnapshotContent, status: RawObject): Promise<boolean> {
    const { resourceVersion } = metadata;
    const body = { metadata: { resourceVersion }, status };
    return change(this.#actor, kinds.podSnapshotContent, { metadata }, 'status', body);
  }

  /** Takes an order up. */
  async begin(pick: number): Promise<void> {
    const order = this.#order(pick);
    if (order === undefined || !isOpen(order) || order.spec.cancel) return;
    const startedAt = '2026-01-01T00:00:01Z';
    const conditions = [
      { type: 'Progressing', status: 'True', reason: 'Freezing', message: 'Freezing.' },
    ];
    await this.#write(order, { stage: 'Freezing', attempts: 1, startedAt, conditions });
  }

  /** Reads an order once more before it would write Ready. */
  async look(pick: number): Promise<void> {
    const order = this.#order(pick);
    if (order === undefined || !isOpen(order) || order.spec.cancel) return;
    if (order.metadata.deletionTimestamp === undefined) this.#read.push(order);
  }

  /** Writes Ready on what it read, however long ago that was. */
  async commit(): Promise<void> {
    const order = this.#read.shift();
    if (order === undefined || !this.alive) return;
    // The bytes are there before Ready is written, and stay if it is refused.
    this.stored.add(order.metadata.uid);
    this.#unreported.add(order.metadata.uid);
    if (await this.#write(order, capturedStatus)) this.#unreported.delete(order.metadata.uid);
  }

  /** A capture fails, or is undone because it was cancelled. */
  async fail(pick: number): Promise<void> {
    const order = this.#order(pick);
    if (order === undefined || !isOpen(order)) return;
    this.stored.delete(order.metadata.uid);
    const other = pick % 2 === 0 ? 'CheckpointFailed' : 'PreflightFailed';
    await this.#write(order, failedStatus(order.spec.cancel ? 'Cancelled' : other, 'Failed.'));
  }

  /** The bytes of an order that is Ready are found gone. */
  async lose(pick: number): Promise<void> {
    const order = this.#order(pick);
    if (order === undefined || !isTrue(order.status.conditions, 'Ready')) return;
    const lost = { type: 'Ready', status: 'False', reason: 'ArtifactLost', message: 'Gone.' };
    const others = order.status.conditions.filter(({ type }) => type !== 'Ready');
    this.stored.delete(order.metadata.uid);
    await this.#write(order, { conditions: [lost, ...others] });
  }

  /** Deletes the bytes of an order that is being deleted. */
  async erase(pick: number): Promise<void> {
    const order = this.#order(pick);
    if (order?.metadata.deletionTimestamp === undefined) return;
    this.stored.delete(order.metadata.uid);
    const gone = { type: 'ArtifactDeleted', status: 'True', reason: 'ArtifactDeleted' };
    const others = order.status.conditions.filter(({ type }) => type !== 'ArtifactDeleted');
    await this.#write(order, { conditions: [...others, { ...gone, message: '' }] });
  }

  /** Everything that an agent in good health would do at once; what its journal has of orders that are gone it discards. */
  async work(): Promise<void> {
    const uids = new Set(this.#orders().map(({ metadata }) => metadata.uid));
    for (const uid of this.#unreported) if (!uids.has(uid)) this.stored.delete(uid);
    for (const [index, order] of this.#orders().entries()) {
      if (order.metadata.deletionTimestamp !== undefined) {
        if (!isTrue(order.status.conditions, 'ArtifactDeleted')) await this.erase(index);
      } else if (order.spec.cancel) await this.fail(index);
      else if (isOpen(order)) {
        await this.look(index);
        await this.commit();
      }
    }
  }
}
