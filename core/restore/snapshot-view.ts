import { annotations } from '../api/names.ts';

/** What has become of the snapshot that a pod is to be restored from. */
export type SnapshotView =
  | { readonly state: 'ready'; readonly containers: readonly string[] }
  | { readonly state: 'pending'; readonly message: string }
  | { readonly state: 'unusable'; readonly message: string };

/** What of a pod says which containers are meant. */
type Aimed = {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> | undefined };
  readonly spec: { readonly containers: readonly { readonly name: string }[] };
};

/**
 * The containers of a pod that a snapshot is for. The content of an artifact from elsewhere names none, and a snapshot may not be there to be
 * asked yet: then the pod's own annotation does, or it is the
 * first container; whether the artifact holds them shows when it is read.
 */
export function containersToRestore(pod: Aimed, snapshot: SnapshotView): readonly string[] {
  if (snapshot.state === 'ready' && snapshot.containers.length > 0) return snapshot.containers;
  const named = pod.metadata.annotations?.[annotations.targetContainers];
  return named?.split(',').map((name) => name.trim()) ?? [pod.spec.containers[0]?.name ?? ''];
}
