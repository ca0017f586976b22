import { parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../core/api/kinds.ts';
import type { Metadata, Parsed } from '../../core/api/metadata.ts';
import { parsePodRestore } from '../../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { parseSnapshotJob } from '../../core/api/snapshot-job.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import {
  type Standing,
  standingOfCheckpoint,
  standingOfJob,
  standingOfRestore,
  standingOfSnapshot,
} from './standing.ts';

/** The kinds that users ask with, as the command line calls them. */
export const requestWords = ['snapshot', 'restore', 'checkpoint', 'job'] as const;
export type RequestWord = (typeof requestWords)[number];

/** A request as the command line looks at it: the same for all kinds. */
export type RequestView = {
  readonly word: RequestWord;
  readonly raw: RawObject;
  readonly metadata: Metadata;
  readonly standing: Standing;
  /** What it is made of: `pod/web`, `snapshot/web`, '' where nothing is known yet. */
  readonly from: string;
  readonly node: string;
  /** What came of it: `snapshot/web`, `pod/web-x2k4p`. */
  readonly to: string;
  /** Of the artifact, or fetched so far. */
  readonly bytes: number | undefined;
  readonly storedBytes: number | undefined;
  /** How long the source stood still, or the restore took. */
  readonly milliseconds: number | undefined;
};

const named = (word: string, name: string | undefined): string =>
  name === undefined || name === '' ? '' : `${word}/${name}`;

type Facts = Omit<RequestView, 'word' | 'raw'>;
const nothing = { node: '', bytes: undefined, storedBytes: undefined, milliseconds: undefined };

/** Applies a reading to what parsed. */
function read<T>(parsed: Parsed<T>, facts: (value: T) => Facts): Parsed<Facts> {
  return parsed.ok ? { ok: true, value: facts(parsed.value) } : parsed;
}

type RequestKind = { readonly kind: Kind; readonly facts: (raw: unknown) => Parsed<Facts> };

/** Where each kind is served, and how it is looked at. */
export const requestKinds = {
  snapshot: {
    kind: kinds.podSnapshot,
    facts: (raw) =>
      read(parsePodSnapshot(raw), (snapshot) => ({
        metadata: snapshot.metadata,
        standing: standingOfSnapshot(snapshot),
        from:
          named('pod', snapshot.spec.source.podRef?.name) ||
          named('content', snapshot.spec.source.contentName),
        node: snapshot.status.nodeName ?? '',
        to: snapshot.status.boundSnapshotContentName ?? '',
        bytes: snapshot.status.artifact?.sizeBytes,
        storedBytes: snapshot.status.artifact?.storedBytes,
        milliseconds: snapshot.status.freezeMilliseconds,
      })),
  },
  restore: {
    kind: kinds.podRestore,
    facts: (raw) =>
      read(parsePodRestore(raw), (restore) => ({
        metadata: restore.metadata,
        standing: standingOfRestore(restore),
        from: named('snapshot', restore.spec.snapshotName),
        node: restore.status.nodeName ?? '',
        to: named('pod', restore.status.podName),
        bytes: restore.status.bytesFetched,
        storedBytes: undefined,
        milliseconds: restore.status.restoreMilliseconds,
      })),
  },
  checkpoint: {
    kind: kinds.dynamoCheckpoint,
    facts: (raw) =>
      read(parseDynamoCheckpoint(raw), (checkpoint) => ({
        ...nothing,
        metadata: checkpoint.metadata,
        standing: standingOfCheckpoint(checkpoint),
        from: named('job', checkpoint.status.jobName),
        to: named('snapshot', checkpoint.status.podSnapshotName),
      })),
  },
  job: {
    kind: kinds.snapshotJob,
    facts: (raw) =>
      read(parseSnapshotJob(raw), (job) => ({
        ...nothing,
        metadata: job.metadata,
        standing: standingOfJob(job),
        from: named('job', job.metadata.name),
        to: named('snapshot', job.status.podSnapshotName),
      })),
  },
} as const satisfies Record<RequestWord, RequestKind>;

/** A raw object of a kind as the command line looks at it. */
export function requestView(word: RequestWord, raw: RawObject): Parsed<RequestView> {
  const parsed = requestKinds[word].facts(raw);
  return parsed.ok ? { ok: true, value: { word, raw, ...parsed.value } } : parsed;
}
