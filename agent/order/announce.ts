import { apiVersion } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Announce } from './deps.ts';

type Told = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
};

/** An event on the user's snapshot. */
export function tellSnapshot(announce: Announce, content: PodSnapshotContent, told: Told): void {
  const { namespace, name, uid } = content.spec.snapshotRef;
  announce({
    regarding: { apiVersion, kind: 'PodSnapshot', namespace, name, uid: uid ?? '' },
    action: 'Capture',
    ...told,
  });
}

/** The same event on the snapshot and on the source pod, where the owner of the pod would look. */
export function tellBoth(announce: Announce, content: PodSnapshotContent, told: Told): void {
  tellSnapshot(announce, content, told);
  const { snapshotRef, source } = content.spec;
  if (source.podRef === undefined) return;
  announce({
    regarding: {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: snapshotRef.namespace,
      name: source.podRef.name,
      uid: source.podRef.uid,
    },
    action: 'Capture',
    ...told,
    note: `PodSnapshot ${snapshotRef.name}: ${told.note}`,
  });
}
