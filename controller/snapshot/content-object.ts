import { apiVersion, contentName, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { isRecord, recordAt, textAt } from '../../runtime/raw-object.ts';

/** Prefix of the volumes that the API server itself adds to a pod for the service account's token. */
const tokenVolumePrefix = 'kube-api-access-';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

const records = (value: unknown): readonly RawObject[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];

const without = (object: RawObject, ...fields: readonly string[]): RawObject =>
  Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));

const isTokenVolume = (entry: RawObject): boolean =>
  textAt(entry, 'name').startsWith(tokenVolumePrefix);

function withoutTokenMounts(container: RawObject): RawObject {
  if (container.volumeMounts === undefined) return container;
  const volumeMounts = records(container.volumeMounts).filter((mount) => !isTokenVolume(mount));
  return { ...container, volumeMounts };
}

/**
 * The pod template that a restore needs: labels, annotations and spec of the live pod. Left out: the node (a restore chooses one), the
 * injected token volume (the API server injects a new one at the same path), and what belongs to this one capture.
 */
export function restoreTemplate(pod: RawObject): RawObject {
  const metadata = recordAt(pod, 'metadata');
  const spec = recordAt(pod, 'spec');
  const shaped: Record<string, unknown> = without(spec, 'nodeName');
  for (const field of ['containers', 'initContainers']) {
    if (spec[field] !== undefined) shaped[field] = records(spec[field]).map(withoutTokenMounts);
  }
  if (spec.volumes !== undefined) {
    shaped.volumes = records(spec.volumes).filter((volume) => !isTokenVolume(volume));
  }
  return {
    metadata: {
      labels: without(recordAt(metadata, 'labels'), labels.captureEligible),
      annotations: without(recordAt(metadata, 'annotations'), lastApplied),
    },
    spec: shaped,
  };
}

/**
 * The work order of a snapshot for the node of its pod. Its name comes from the snapshot's UID, so that a second create can only meet
 * the first; its finalizer keeps the object until the bytes are gone.
 */
export function contentObject(snapshot: PodSnapshot, pod: Pod, raw: RawObject): RawObject {
  const { metadata, spec } = snapshot;
  const nodeName = pod.spec.nodeName ?? '';
  const { source: _source, cancel: _cancel, ...options } = spec;
  const checkpointID = metadata.labels[labels.checkpointID];
  return {
    apiVersion,
    kind: 'PodSnapshotContent',
    metadata: {
      name: contentName(metadata.uid),
      labels: {
        [labels.node]: nodeName,
        ...(checkpointID === undefined ? {} : { [labels.checkpointID]: checkpointID }),
      },
      finalizers: [finalizers.content],
    },
    spec: {
      snapshotRef: { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
      source: {
        podRef: {
          name: pod.metadata.name,
          uid: pod.metadata.uid,
          containers: spec.source.podRef?.containers ?? [],
        },
        nodeName,
        template: restoreTemplate(raw),
      },
      ...options,
      cancel: false,
    },
  };
}
