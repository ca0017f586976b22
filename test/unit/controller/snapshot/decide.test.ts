import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, rules } from '../../../../controller/snapshot/decide.ts';
import { sighted } from '../../../../controller/snapshot/observe.ts';
import {
  type ContentSighting,
  type ObservedSnapshot,
  type PodSighting,
  snapshotPhases,
} from '../../../../controller/snapshot/observed.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { contentName, finalizers } from '../../../../core/api/names.ts';
import { parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import { parsePod } from '../../../../core/api/workload.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { capturedStatus, failedStatus, podObject } from '../support/cluster.ts';

function made<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const snapshot = fc
  .record({
    cancel: fc.boolean(),
    finalizer: fc.boolean(),
    uid: fc.constantFrom(undefined, 'pod-1', 'pod-2'),
    bound: fc.boolean(),
  })
  .map(({ cancel, finalizer, uid, bound }) =>
    made(
      parsePodSnapshot({
        metadata: {
          ...{ name: 'one', namespace: 'default', uid: 'snap-1' },
          finalizers: finalizer ? [finalizers.snapshot] : [],
        },
        spec: {
          cancel,
          source: { podRef: { name: 'web', containers: ['main'], ...(uid ? { uid } : {}) } },
        },
        status: bound ? { boundSnapshotContentName: contentName('snap-1') } : {},
      }),
    ),
  );

const statuses: readonly RawObject[] = [
  {},
  { stage: 'Publishing', startedAt: '2026-01-01T00:00:01Z' },
  capturedStatus,
  failedStatus('Cancelled', 'The source is running.'),
];

const content = fc.record({
  cancel: fc.boolean(),
  deletionPolicy: fc.constantFrom('Delete', 'Retain'),
  owner: fc.constantFrom('snap-1', 'snap-2'),
  status: fc.constantFrom(...statuses),
  deleting: fc.boolean(),
  fresh: fc.boolean(),
});

const pod: fc.Arbitrary<PodSighting> = fc.oneof(
  fc.constant({ state: 'missing' } as const),
  fc
    .record({
      node: fc.constantFrom(undefined, 'node-a'),
      uid: fc.constantFrom('pod-1', 'pod-2'),
      container: fc.constantFrom('main', 'other'),
      phase: fc.constantFrom('Pending', 'Running', 'Failed'),
    })
    .map(({ node, uid, container, phase }) => {
      const object = podObject('web', { node, containers: [container] });
      const metadata = { ...(object.metadata as RawObject), uid };
      const raw = { ...object, metadata, status: { phase } };
      return { state: 'found', pod: made(parsePod(raw)), raw } as const;
    }),
);

const observed: fc.Arbitrary<ObservedSnapshot> = fc
  .record({
    phase: fc.constantFrom(...snapshotPhases),
    snapshot,
    ageMilliseconds: fc.constantFrom(0, 5_000, 4_000_000),
    deletingMilliseconds: fc.constantFrom(0, 9_000),
    rejection: fc.constantFrom(undefined, 'a quota'),
    pod,
    content: fc.option(content, { nil: undefined }),
    silentMilliseconds: fc.constantFrom(undefined, 0, 20_000, 70_000, 400_000),
    nodeGone: fc.boolean(),
    news: fc.constantFrom('none', 'progress', 'end'),
    sinceWriteMilliseconds: fc.constantFrom(0, 5_000),
    sinceCancelMilliseconds: fc.constantFrom(0, 40_000),
  })
  .map(({ content: order, silentMilliseconds, nodeGone, ...rest }) => ({
    ...rest,
    agent: silentMilliseconds === undefined ? undefined : { silentMilliseconds, nodeGone },
    content: order === undefined ? missing : sighting(rest.snapshot, order),
  }));

const missing: ContentSighting = { state: 'missing', name: contentName('snap-1') };

function sighting(
  of: ObservedSnapshot['snapshot'],
  order: typeof content extends fc.Arbitrary<infer T> ? T : never,
): ContentSighting {
  const parsed = made(
    parsePodSnapshotContent({
      metadata: {
        name: contentName('snap-1'),
        ...(order.deleting ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
      },
      spec: {
        cancel: order.cancel,
        deletionPolicy: order.deletionPolicy,
        snapshotRef: { namespace: 'default', name: 'one', uid: order.owner },
        source: { podRef: { name: 'web', uid: 'pod-1', containers: ['main'] }, nodeName: 'node-a' },
      },
      status: order.status,
    }),
  );
  return sighted(of, parsed, order.fresh);
}

const kindsOf = (one: ObservedSnapshot): readonly string[] =>
  decide(one).actions.map((action) => action.do);

/** Holds for everything that can be observed. */
const always = (property: (one: ObservedSnapshot) => boolean): void =>
  fc.assert(fc.property(observed, property), { numRuns: 2_000 });

describe('the rules for a snapshot', () => {
  it('cover every phase', () => {
    expect(Object.keys(rules).toSorted()).toEqual([...snapshotPhases].toSorted());
  });

  it('are total, and give the same answer twice', () => {
    always((one) => {
      const first = JSON.stringify(decide(one));
      return JSON.stringify(decide(one)) === first;
    });
  });

  it('do nothing about one that has failed', () => {
    always((one) => one.phase !== 'Failed' || kindsOf(one).length === 0);
  });

  it('make no order without the finalizer that cleans up after it', () => {
    always(
      (one) =>
        !kindsOf(one).some((kind) => kind === 'createContent' || kind === 'bind') ||
        one.snapshot.metadata.finalizers.includes(finalizers.snapshot),
    );
  });

  it('make an order only for the very pod that was meant', () => {
    always((one) => {
      if (!kindsOf(one).includes('createContent') || one.pod.state !== 'found') return true;
      const wanted = one.snapshot.spec.source.podRef?.uid;
      return wanted === undefined || wanted === one.pod.pod.metadata.uid;
    });
  });

  it('say that an open order failed only after it was cancelled and read back', () => {
    always((one) => {
      const { content: order, phase } = one;
      if (phase !== 'Bound' || order.state !== 'found' || !order.ours) return true;
      if (order.outcome !== 'open') return true;
      const verdicts = kindsOf(one).filter((kind) => kind === 'fail' || kind === 'failContent');
      return verdicts.length === 0 || (order.content.spec.cancel && order.fresh);
    });
  });

  it('write the status of a content only where no agent has been heard for a minute', () => {
    always(
      (one) =>
        !kindsOf(one).includes('failContent') || (one.agent?.silentMilliseconds ?? 0) >= 60_000,
    );
  });

  it('say with every failure how the source is', () => {
    const said =
      /The source (was|is) |The state of the source is unknown|The pod was not touched|nothing was captured|There is no pod/;
    always((one) =>
      decide(one).actions.every(
        (action) =>
          (action.do !== 'fail' && action.do !== 'failContent') || said.test(action.message),
      ),
    );
  });

  it('never leave an open order without coming back to it', () => {
    always((one) => {
      const { content: order, phase } = one;
      if (phase !== 'Bound' || order.state !== 'found' || !order.ours) return true;
      if (order.outcome !== 'open') return true;
      const { actions, againAfterMilliseconds } = decide(one);
      // A cancel is followed by another round at once, a failure is an end.
      const rounds = ['cancelContent', 'failContent', 'fail'];
      return (
        againAfterMilliseconds !== undefined || actions.some((each) => rounds.includes(each.do))
      );
    });
  });

  it('never come back later than the deadline', () => {
    always((one) => {
      const left = one.snapshot.spec.deadlineSeconds * 1000 - one.ageMilliseconds;
      const again = decide(one).againAfterMilliseconds;
      const open = one.phase === 'Bound' || one.phase === 'Unbound';
      return !open || again === undefined || left <= 0 || again <= Math.max(left, 1_000);
    });
  });

  it('delete no content of somebody else, none in flight that was not cancelled, and no bytes to be kept', () => {
    always((one) => {
      if (!kindsOf(one).includes('deleteContent')) return true;
      const { content: order } = one;
      if (order.state !== 'found' || !order.ours) return false;
      if (order.outcome === 'open') return order.content.spec.cancel;
      return order.outcome !== 'ready' || order.content.spec.deletionPolicy === 'Delete';
    });
  });

  it('let a deleted snapshot go only when its content has gone, is released, or is not its own', () => {
    always((one) => {
      const kinds = kindsOf(one);
      if (!kinds.includes('removeFinalizer')) return true;
      const { content: order } = one;
      return (
        order.state === 'missing' ||
        kinds.includes('releaseContent') ||
        !('ours' in order) ||
        !order.ours
      );
    });
  });
});
