import { describe, expect, it } from 'vitest';
import { decide } from '../../../../controller/snapshot/decide.ts';
import { sighted } from '../../../../controller/snapshot/observe.ts';
import type { ObservedSnapshot } from '../../../../controller/snapshot/observed.ts';
import { tieOf } from '../../../../controller/snapshot/outcome.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { finalizers } from '../../../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';

function made<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const snapshotOf = (source: RawObject, spec: RawObject = {}): PodSnapshot =>
  made(
    parsePodSnapshot({
      metadata: {
        ...{ name: 'one', namespace: 'default', uid: 'snap-1' },
        finalizers: [finalizers.snapshot],
      },
      spec: { ...spec, source },
      status: {},
    }),
  );

const captured = { podRef: { name: 'web', containers: ['main'] } };
const provided = { contentName: 'kept' };

/** A content of the snapshot whose spec names no node, as one made by an administrator does. */
const contentOf = (
  snapshot: PodSnapshot,
  rest: { readonly spec?: RawObject; readonly metadata?: RawObject; readonly fresh?: boolean } = {},
): ObservedSnapshot['content'] =>
  sighted(
    snapshot,
    made(
      parsePodSnapshotContent({
        metadata: { name: 'kept', ...rest.metadata },
        spec: {
          snapshotRef: { namespace: 'default', name: 'one', uid: 'snap-1' },
          source: { artifact: { store: 'shared', digest: `sha256:${'a'.repeat(64)}` } },
          ...rest.spec,
        },
        status: {},
      }),
    ),
    rest.fresh ?? true,
  );

const seen = (
  snapshot: PodSnapshot,
  content: ObservedSnapshot['content'],
  rest: Partial<ObservedSnapshot> = {},
): ObservedSnapshot => ({
  ...{ phase: 'Bound', snapshot, content, agent: undefined, news: 'none', rejection: undefined },
  ...{ ageMilliseconds: 30_000, deletingMilliseconds: 0, pod: { state: 'unread' } },
  ...{ sinceWriteMilliseconds: 5_000, sinceCancelMilliseconds: 0 },
  ...rest,
});

const saying = (observed: ObservedSnapshot): string => JSON.stringify(decide(observed));
const silentAgent = { silentMilliseconds: 70_000, nodeGone: false };

describe('the rules for a snapshot, where something is not known', () => {
  const snapshot = snapshotOf(captured);

  it('do nothing about a content that nobody has read', () => {
    for (const phase of ['Bound', 'Captured', 'Deleting'] as const) {
      expect(decide(seen(snapshot, { state: 'unread' }, { phase })).actions).toEqual([]);
    }
  });

  it('name no node where neither spec nor label does', () => {
    const content = contentOf(snapshot);
    expect(saying(seen(snapshot, content, { agent: silentAgent }))).toMatch(
      /cancelContent|No agent serves node/,
    );
    const slow = { silentMilliseconds: 20_000, nodeGone: false };
    expect(saying(seen(snapshot, content, { agent: slow }))).toContain('No agent has answered');
    const cancelled = snapshotOf(captured, { cancel: true });
    const cancelling = contentOf(cancelled, { spec: { cancel: true } });
    expect(saying(seen(cancelled, cancelling))).toContain('Waits for the agent of node');
  });

  it('wait for some agent where a content that goes was never given to one', () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const content = contentOf(snapshot, { metadata });
    const deleting = { phase: 'Deleting', deletingMilliseconds: 9_000 } as const;
    expect(saying(seen(snapshot, content, deleting))).toContain('Waits for an agent to delete');
  });
});

describe('the rules for a snapshot of bytes that exist already', () => {
  const snapshot = snapshotOf(provided);

  it('give a verdict on a fresh look alone', () => {
    const late = snapshotOf(provided, { cancel: true });
    const stale = contentOf(late, { fresh: false });
    expect(decide(seen(late, stale))).toEqual({ actions: [], againAfterMilliseconds: 1_000 });
    expect(saying(seen(late, contentOf(late)))).toContain('Cancelled');
  });

  it('show the news of their content', () => {
    const observed = seen(snapshot, contentOf(snapshot), { news: 'progress' });
    expect(decide(observed).actions.map((action) => action.do)).toEqual(['mirror']);
  });

  it('say so where no agent is known for the store', () => {
    expect(saying(seen(snapshot, contentOf(snapshot)))).toContain(
      'No agent is known to serve store shared;',
    );
    const source = {
      podRef: { name: 'web', uid: 'pod-1', containers: ['main'] },
      nodeName: 'node-a',
    };
    const capturing = contentOf(snapshot, { spec: { source } });
    expect(saying(seen(snapshot, capturing))).toContain('No agent is known to serve store ;');
  });

  it('wait for a content by its name', () => {
    const missing = { state: 'missing', name: 'kept' } as const;
    expect(saying(seen(snapshot, missing, { phase: 'Unbound' }))).toContain(
      'Waits for PodSnapshotContent kept',
    );
    const nameless = { ...snapshot, spec: { ...snapshot.spec, source: {} } };
    expect(saying(seen(nameless, missing, { phase: 'Unbound' }))).toContain('to be made');
  });
});

it('a content that offers itself to a snapshot that asked for another is not tied to it', () => {
  const other = snapshotOf({ contentName: 'another' });
  const content = contentOf(other, {
    spec: { snapshotRef: { namespace: 'default', name: 'one' } },
  });
  if (content.state !== 'found') throw new Error('no content');
  expect(tieOf(content.content, other)).toBe('none');
});
