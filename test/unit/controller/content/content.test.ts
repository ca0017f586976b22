import { describe, expect, it } from 'vitest';
import { decide, rules } from '../../../../controller/content/decide.ts';
import { contentPhases, type ObservedContent } from '../../../../controller/content/observed.ts';
import { contentName, finalizers, labels } from '../../../../core/api/names.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { capturedStatus } from '../support/cluster.ts';

const gone: RawObject = {
  type: 'ArtifactDeleted',
  status: 'True',
  reason: 'ArtifactDeleted',
  message: '',
};

function seen(
  status: RawObject,
  rest: Partial<ObservedContent> & { readonly finalizer?: boolean } = {},
): ObservedContent {
  const { finalizer = true, ...fields } = rest;
  const parsed = parsePodSnapshotContent({
    metadata: { name: 'order', finalizers: finalizer ? [finalizers.content] : ['other'] },
    spec: {
      snapshotRef: { namespace: 'default', name: 'one', uid: 'u' },
      source: { podRef: { name: 'web', uid: 'p', containers: ['main'] }, nodeName: 'node-a' },
    },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.message);
  const nobody = {
    agent: undefined,
    heir: undefined,
    isShared: false,
    begun: false,
    orphaned: false,
  };
  return { phase: 'Deleting', content: parsed.value, node: 'node-a', ...nobody, ...fields };
}

const doing = (observed: ObservedContent): readonly string[] =>
  decide(observed).actions.map((action) => action.do);

const silent = (silentMilliseconds: number, nodeGone: boolean) => ({
  agent: { silentMilliseconds, nodeGone },
});

describe('the rules for a content', () => {
  it('cover every phase', () => {
    expect(Object.keys(rules).toSorted()).toEqual([...contentPhases].toSorted());
  });

  it('leave one alone that is not being deleted', () => {
    expect(doing(seen({ conditions: [gone] }, { phase: 'Live' }))).toEqual([]);
  });

  it('let one go whose bytes are gone', () => {
    expect(doing(seen({ conditions: [gone] }))).toEqual(['removeFinalizer']);
  });

  it('do not touch the finalizers of others', () => {
    expect(doing(seen({ conditions: [gone] }, { finalizer: false }))).toEqual([]);
  });

  it('wait for the agent, and look again', () => {
    const decision = decide(seen(capturedStatus, silent(20_000, false)));
    expect(decision).toEqual({ actions: [], againAfterMilliseconds: 10_000 });
  });

  it('let one go that never stored anything where no agent has been heard for a minute', () => {
    expect(doing(seen({}, silent(60_000, false)))).toEqual(['removeFinalizer']);
    expect(doing(seen({}, silent(50_000, false)))).toEqual([]);
  });

  it('keep one with bytes as long as its node exists, however silent', () => {
    expect(doing(seen(capturedStatus, silent(9_000_000, false)))).toEqual([]);
  });

  it('write the bytes off, in an event, when the node is gone for five minutes', () => {
    const observed = seen(capturedStatus, silent(300_000, true));
    expect(doing(observed)).toEqual(['writeOff', 'removeFinalizer']);
    expect(doing(seen(capturedStatus, silent(200_000, true)))).toEqual([]);
  });

  it('leave one of an unknown agent to the look after', () => {
    const observed = seen({ startedAt: '2026-01-01T00:00:00Z' });
    expect(decide(observed)).toEqual({ actions: [], againAfterMilliseconds: 10_000 });
    const cancelled = { ...observed.content.spec, cancel: true };
    const metadata = { ...observed.content.metadata, name: contentName('u') };
    const orphan = { ...observed.content, metadata, spec: cancelled };
    const live = { ...observed, phase: 'Live', orphaned: true } as const;
    expect(doing({ ...live, content: orphan })).toEqual([]);
    const { uid: _uid, ...anybody } = orphan.spec.snapshotRef;
    const unnamed = { ...orphan, spec: { ...orphan.spec, snapshotRef: anybody } };
    expect(doing({ ...live, content: unnamed })).toEqual([]);
    const artifact = { store: 'shared', digest: `sha256:${'a'.repeat(64)}` };
    const kept = { ...observed.content.spec, source: { artifact } };
    const labelled = { ...metadata, labels: { [labels.node]: 'node-a' } };
    const provided = { ...observed.content, metadata: labelled, spec: kept };
    const looked = { ...live, orphaned: false, heir: 'node-b', content: provided };
    expect(decide(looked)).toEqual({ actions: [], againAfterMilliseconds: 10_000 });
  });

  it('find an agent of the store for bytes whose node nobody names any more', () => {
    const begun = { startedAt: '2026-01-01T00:00:00Z' };
    expect(doing(seen(begun, { node: undefined }))).toEqual([]);
    expect(doing(seen(begun, { node: undefined, heir: 'node-b' }))).toEqual(['route']);
  });

  it('write off what nobody knows the digest of, in those words', () => {
    const observed = seen({ startedAt: '2026-01-01T00:00:00Z' }, silent(400_000, true));
    expect(JSON.stringify(decide(observed))).toContain('of unknown digest');
  });
});
