import { describe, expect, it } from 'vitest';
import { InvariantWatch, type Violation } from '../../../../controller/metrics/invariants.ts';
import { parsePodRestore } from '../../../../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { capturedStatus, failedStatus } from '../support/cluster.ts';

const createdAt = '2026-01-01T00:00:00Z';

function snapshot(status: RawObject, metadata: RawObject = {}) {
  const parsed = parsePodSnapshot({
    metadata: {
      ...{ name: 'one', namespace: 'default', uid: 'u1', creationTimestamp: createdAt },
      ...metadata,
    },
    spec: { deadlineSeconds: 60, source: { podRef: { name: 'web', containers: ['main'] } } },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

function scene() {
  const seen: Violation[] = [];
  let now = Date.parse(createdAt);
  const watch = new InvariantWatch(
    () => now,
    (violation) => void seen.push(violation),
  );
  const look = (status: RawObject, metadata: RawObject = {}): void =>
    watch.snapshot('default/one', snapshot(status, metadata));
  const pass = (seconds: number): void => {
    now += seconds * 1000;
  };
  return { look, pass, seen, watch };
}

const broken = (seen: readonly Violation[]) => seen.map(({ invariant }) => invariant);

describe('the watch of invariants', () => {
  it('finds nothing in a course of life as it should be', () => {
    const { look, seen, watch } = scene();
    for (const status of [{}, { stage: 'Publishing' }, capturedStatus]) look(status);
    look(failedStatus('ArtifactLost', 'The bytes are gone.'));
    watch.snapshot('default/one', undefined);
    expect(seen).toEqual([]);
  });

  it('tells once that an end was left', () => {
    const { look, seen } = scene();
    for (const status of [capturedStatus, {}, capturedStatus, {}]) look(status);
    expect(broken(seen)).toEqual(['TerminalIsFinal']);
    expect(seen[0]?.message).toBe('was ready and is open again');
  });

  it('tells that a failure became a success', () => {
    const { look, seen } = scene();
    for (const status of [failedStatus('CheckpointFailed', 'no'), capturedStatus]) look(status);
    expect(broken(seen)).toEqual(['TerminalIsFinal']);
  });

  it('does not take a successor of the name for its predecessor', () => {
    const { look, seen, watch } = scene();
    look(capturedStatus);
    look({}, { uid: 'u2' });
    watch.snapshot('default/one', undefined);
    look({}, { uid: 'u3' });
    expect(seen).toEqual([]);
  });

  it('tells that a snapshot is open long after its deadline, unless it is being deleted', () => {
    const { look, pass, seen } = scene();
    pass(600);
    look({});
    expect(seen).toEqual([]);
    pass(100);
    look({}, { deletionTimestamp: createdAt });
    expect(seen).toEqual([]);
    look({});
    expect(broken(seen)).toEqual(['TerminalProgress']);
  });

  it('tells that a restore is open long after its deadline, and that one left its end', () => {
    const { pass, seen, watch } = scene();
    const look = (conditions: readonly RawObject[]): void => {
      const parsed = parsePodRestore({
        metadata: { name: 'again', namespace: 'default', uid: 'r1', creationTimestamp: createdAt },
        spec: { snapshotName: 'one', deadlineSeconds: 60 },
        status: { conditions },
      });
      if (!parsed.ok) throw new Error(parsed.message);
      watch.restore('default/again', parsed.value);
    };
    look([]);
    pass(700);
    look([]);
    look([{ type: 'Ready', status: 'True', reason: 'RestoreSucceeded' }]);
    look([]);
    watch.restore('default/again', undefined);
    expect(broken(seen)).toEqual(['TerminalProgress', 'TerminalIsFinal']);
    expect(seen[0]?.kind).toBe('PodRestore');
  });
});
