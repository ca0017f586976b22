import { isDeepStrictEqual } from 'node:util';
import { isTrue } from '../../../../core/api/conditions.ts';
import { contentName } from '../../../../core/api/names.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, isRecord, recordAt, textAt } from '../../../../runtime/raw-object.ts';
import type { Change } from '../../../support/memory-watch.ts';
import {
  conditionsOf,
  endOf,
  isJobOver,
  isLeaving,
  kindOf,
  labelOf,
  lossReasons,
  nameOf,
  ownerUID,
  podRefOf,
  specOf,
  uidOf,
} from './stored-object.ts';

/** Who makes the changes of this moment. */
export type Author = 'controller' | 'others';

/** The kinds that the controller may write at all; events apart, which the model does not keep. */
const written = ['Job', 'PodSnapshot', 'PodSnapshotContent', 'DynamoCheckpoint', 'SnapshotJob'];
/** An agent that beats every 10 s is silent after this long. */
const silentMilliseconds = 60_000;

/**
 * Looks at every stored change in the moment it is made, with all that was ever stored as a memory, and throws where an invariant of the
 * control plane is broken.
 */
export class Invariants {
  author: Author = 'others';
  /** A former leader may act too: what one deleted, the other may have made anew in good faith. */
  twoAtWork = false;
  /** The agent's last beat, as the agent knows it. */
  beatAt: () => number = () => 0;
  now: () => number = () => 0;
  /** UIDs of the orders whose bytes lie in the store. */
  stored: () => Iterable<string> = () => [];
  /** UIDs of objects that only look as if they were the controller's. */
  readonly foreign = new Set<string>();
  /** The newest version of everything that ever was, by UID. */
  readonly #known = new Map<string, RawObject>();
  readonly #gone = new Set<string>();
  readonly #wasReady = new Set<string>();
  /** Deleted by others, and kept for a while by a finalizer. */
  readonly #sentAway = new Set<string>();
  /** Creates by the controller less deletions by others, by what they are made for. */
  readonly #made = new Map<string, number>();

  /** Everything that is there, of a kind. */
  live(kind: string): readonly RawObject[] {
    return [...this.#known.values()].filter(
      (object) => kindOf(object) === kind && !this.#gone.has(uidOf(object)),
    );
  }

  see({ object, old, deleted }: Change): void {
    const kind = kindOf(object);
    const byController = this.author === 'controller';
    if (byController) this.#mayWrite(kind, old);
    if (old === undefined) this.#created(kind, object, byController);
    else this.#changed(kind, old, object, byController, deleted);
    this.#known.set(uidOf(object), object);
    if (endOf(object) === 'Ready') this.#wasReady.add(uidOf(object));
    if (deleted) this.#gone.add(uidOf(object));
    else this.#consistent(kind, object);
  }

  #fail(invariant: string, object: RawObject, why: string): never {
    throw new BrokenInvariant(`${invariant}: ${nameOf(object)} ${why}`);
  }

  #mayWrite(kind: string, old: RawObject | undefined): void {
    if (old === undefined) return;
    if (!written.includes(kind)) this.#fail('OwnObjectsOnly', old, 'was written by the controller');
    const ref = textAt(recordAt(specOf(old), 'snapshotRef'), 'uid');
    // A content whose snapshot is gone may be cleared away, whoever made it.
    if (this.foreign.has(uidOf(old)) && !this.#gone.has(ref))
      this.#fail('OwnObjectsOnly', old, 'belongs to somebody else');
  }

  #created(kind: string, object: RawObject, byController: boolean): void {
    if (!byController) return;
    const owner = ownerUID(object);
    if (kind === 'Job') this.#once(object, `Job ${identityOf(object).name} of ${owner}`);
    if (kind === 'PodSnapshot') this.#snapshotCreated(object);
    if (kind === 'PodSnapshotContent') this.#contentCreated(object);
  }

  #snapshotCreated(object: RawObject): void {
    const jobUID = labelOf(object, 'nvidia.com/snapshot-job-uid');
    this.#once(object, `PodSnapshot of ${jobUID}`);
    const pod = this.#known.get(textAt(podRefOf(object), 'uid'));
    const job = this.#known.get(pod === undefined ? '' : ownerUID(pod));
    const maker = ownerUID(object) || jobUID;
    if (job === undefined || ownerUID(job) !== maker || this.foreign.has(uidOf(job))) {
      this.#fail('PinnedByUID', object, 'captures no pod of a Job of its maker');
    }
  }

  #contentCreated(object: RawObject): void {
    const ref = recordAt(specOf(object), 'snapshotRef');
    this.#once(object, `PodSnapshotContent of ${textAt(ref, 'uid')}`);
    const snapshot = this.#known.get(textAt(ref, 'uid'));
    if (snapshot === undefined || identityOf(snapshot).name !== ref.name) {
      this.#fail('PinnedByUID', object, 'names no snapshot that ever was');
    }
    const pod = this.#known.get(textAt(podRefOf(object), 'uid'));
    const wanted = podRefOf(snapshot);
    if (pod === undefined || identityOf(pod).name !== wanted.name) {
      this.#fail('PinnedByUID', object, 'names no pod that ever was');
    }
    if ((wanted.uid ?? uidOf(pod)) !== uidOf(pod)) {
      this.#fail('PinnedByUID', object, 'is of another incarnation of the pod');
    }
  }

  #once(object: RawObject, what: string): void {
    const made = (this.#made.get(what) ?? 0) + 1;
    this.#made.set(what, made);
    if (made > 1) this.#fail('NoDuplicates', object, `is the second ${what}`);
  }

  /** Others deleted what the controller had made: it may make it again. */
  #forgive(object: RawObject): void {
    const owner = ownerUID(object);
    const jobUID = labelOf(object, 'nvidia.com/snapshot-job-uid');
    const snapshotUID = textAt(recordAt(specOf(object), 'snapshotRef'), 'uid');
    this.#made.delete(`Job ${identityOf(object).name} of ${owner}`);
    this.#made.delete(`PodSnapshot of ${jobUID}`);
    this.#made.delete(`PodSnapshotContent of ${snapshotUID}`);
  }

  #changed(
    kind: string,
    old: RawObject,
    object: RawObject,
    byController: boolean,
    deleted: boolean,
  ): void {
    if (!byController && isLeaving(object) && !isLeaving(old)) this.#sentAway.add(uidOf(object));
    const byOthers = !byController || this.#sentAway.has(uidOf(object));
    if (deleted && (byOthers || this.twoAtWork)) this.#forgive(object);
    this.#endIsKept(old, object);
    if (!byController || isDeepStrictEqual(old.status, object.status)) return;
    if (kind === 'PodSnapshotContent' && endOf(old) !== endOf(object)) {
      const silent = this.now() - this.beatAt();
      if (silent < silentMilliseconds) {
        this.#fail('AgentsOnlyVerdict', object, `was ended ${silent} ms after a beat`);
      }
    }
    if (kind === 'PodSnapshot') this.#snapshotReported(old, object);
    if (kind === 'DynamoCheckpoint') this.#ownerReported(old, object, ownerUID);
    if (kind === 'SnapshotJob') {
      this.#ownerReported(old, object, (snapshot) =>
        labelOf(snapshot, 'nvidia.com/snapshot-job-uid'),
      );
    }
  }

  #endIsKept(old: RawObject, object: RawObject): void {
    const before = endOf(old);
    const after = endOf(object);
    if (before === undefined || before === after) return;
    const [, reason = ''] = after?.split('/') ?? [];
    if (before !== 'Ready' || !lossReasons.includes(reason))
      this.#fail('TerminalIsFinal', object, `was ${before} and is ${after ?? 'open'}`);
  }

  #snapshotReported(old: RawObject, object: RawObject): void {
    const bound = textAt(recordAt(object, 'status'), 'boundSnapshotContentName');
    const content = this.live('PodSnapshotContent').find((it) => identityOf(it).name === bound);
    const isBackLinked =
      content !== undefined &&
      textAt(recordAt(specOf(content), 'snapshotRef'), 'uid') === uidOf(object);
    const wasBound = recordAt(old, 'status').boundSnapshotContentName === bound;
    if (bound !== '' && !wasBound && !isBackLinked) {
      this.#fail('PinnedByUID', object, `is bound to ${bound}, which is not its own`);
    }
    if (endOf(old) === endOf(object)) return;
    const truth = isBackLinked ? endOf(content) : undefined;
    if (endOf(object) === 'Ready' && !this.#wasReady.has(uidOf(content ?? {}))) {
      this.#fail('DurableBeforeReady', object, 'is Ready, its content never was');
    }
    if (endOf(object)?.startsWith('Failed') === true && truth === 'Ready') {
      this.#fail('ReadyWins', object, `is ${endOf(object)}, its content is Ready`);
    }
  }

  /** What a checkpoint or a SnapshotJob says of its end must be so. */
  #ownerReported(
    old: RawObject,
    object: RawObject,
    makerOf: (snapshot: RawObject) => string,
  ): void {
    const end = endOf(object);
    if (end === undefined || end === endOf(old)) return;
    const name = textAt(recordAt(object, 'status'), 'podSnapshotName');
    const own = [...this.#known.values()].filter(
      (it) => kindOf(it) === 'PodSnapshot' && makerOf(it) === uidOf(object),
    );
    const isReady = (it: RawObject): boolean => endOf(it) === 'Ready';
    const named = own.filter((it) => identityOf(it).name === name);
    if (end === 'Ready' && !named.some((it) => this.#wasReady.has(uidOf(it)))) {
      this.#fail('PinnedByUID', object, `is Ready with ${name}, which is not, or is not its own`);
    }
    const live = named.filter((it) => !this.#gone.has(uidOf(it)) && !this.foreign.has(uidOf(it)));
    if (end !== 'Ready' && live.some(isReady)) {
      this.#fail('ReadyWins', object, `is ${end}, its snapshot ${name} is Ready`);
    }
  }

  #consistent(_kind: string, object: RawObject): void {
    const conditions = conditionsOf(object);
    for (const success of ['Ready', 'Completed']) {
      if (isTrue(conditions, success) && isTrue(conditions, 'Failed')) {
        this.#fail('OneEnd', object, `is ${success} and Failed`);
      }
    }
  }

  /** The first request that has not ended; none may be left once time enough has passed, whoever is dead. */
  unended(): string | undefined {
    for (const kind of ['PodSnapshot', 'DynamoCheckpoint', 'SnapshotJob']) {
      const open = this.live(kind).find((it) => !isLeaving(it) && endOf(it) === undefined);
      if (open !== undefined) return `TerminalProgress: ${nameOf(open)} has not ended`;
    }
    return undefined;
  }

  /** The first object without an owner or without an end; none may be left once everybody is well and at rest. */
  orphan(): string | undefined {
    const snapshots = this.live('PodSnapshot');
    // One that somebody made under a name of ours is theirs to clear away.
    const contents = this.live('PodSnapshotContent').filter((it) => this.#isOurs(it));
    const jobs = this.live('Job').filter((it) => !this.foreign.has(uidOf(it)));
    const why = (object: RawObject): string | undefined => {
      if (isLeaving(object)) return 'is never gone';
      if (kindOf(object) === 'Job') return this.#isIdle(object) ? 'runs for nobody' : undefined;
      if (kindOf(object) === 'PodSnapshot') return withoutContent(object, contents);
      if (endOf(object) === undefined) return 'is under way for ever';
      return isOwned(object, snapshots) ? undefined : 'is left without its snapshot';
    };
    for (const object of [...snapshots, ...contents, ...jobs]) {
      const said = why(object);
      if (said !== undefined) return `NoOrphans: ${nameOf(object)} ${said}`;
    }
    const bytes = [...this.stored()].find((uid) => !contents.some((it) => uidOf(it) === uid));
    return bytes === undefined
      ? undefined
      : `NoOrphans: bytes of the order ${bytes}, which is gone`;
  }

  #isOurs(content: RawObject): boolean {
    const ref = textAt(recordAt(specOf(content), 'snapshotRef'), 'uid');
    return !this.foreign.has(uidOf(content)) && this.#known.has(ref);
  }

  /** An ended checkpoint runs nothing; a SnapshotJob that failed keeps its Job for the log. */
  #isIdle(job: RawObject): boolean {
    const owner = this.#known.get(ownerUID(job));
    if (isJobOver(job) || owner === undefined || endOf(owner) === undefined) return false;
    return kindOf(owner) === 'DynamoCheckpoint' || endOf(owner) === 'Ready';
  }
}

function withoutContent(snapshot: RawObject, contents: readonly RawObject[]): string | undefined {
  const wanted = contentName(uidOf(snapshot));
  const has = contents.some((it) => identityOf(it).name === wanted);
  return endOf(snapshot) === 'Ready' && !has ? 'is Ready without its content' : undefined;
}

/** By its snapshot, or let go on purpose by one that is gone. */
function isOwned(content: RawObject, snapshots: readonly RawObject[]): boolean {
  const ref = textAt(recordAt(specOf(content), 'snapshotRef'), 'uid');
  const { annotations } = recordAt(content, 'metadata');
  const isReleased =
    (isRecord(annotations) && 'nvidia.com/snapshot-released' in annotations) ||
    isTrue(conditionsOf(content), 'Released');
  return isReleased || snapshots.some((it) => uidOf(it) === ref);
}

/** An invariant does not hold. */
export class BrokenInvariant extends Error {}
