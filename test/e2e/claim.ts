import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Bed } from '../bed/bed.ts';

/** Where the volume of a namespace's claim lies on each node, below the node's root. */
export const claimDirectory = (namespace: string): string => `var/lib/claims/${namespace}`;

/** Makes a claim `claim` in a namespace, bound to a directory of whatever node the pod runs on; empty on the one that is named, missing elsewhere. */
export async function makeClaim(bed: Bed, namespace: string, node: string): Promise<void> {
  await mkdir(join(bed.node(node).rootPath, claimDirectory(namespace)), { recursive: true });
  const volumeName = volumeOf(namespace);
  const common = { accessModes: ['ReadWriteMany'], storageClassName: '' };
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volumeName },
      spec: {
        ...common,
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: `/${claimDirectory(namespace)}`, type: 'Directory' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'claim', namespace },
      spec: { ...common, volumeName, resources: { requests: { storage: '1Gi' } } },
    },
  ];
  await bed.apply(objects.map((object) => stringify(object)).join('---\n'));
}

const volumeOf = (namespace: string): string => `claim-${namespace}`;

/** Removes its volume; the claim goes with the namespace. */
export async function removeClaim(bed: Bed, namespace: string): Promise<void> {
  await bed.kubectl(['delete', 'pv', volumeOf(namespace), '--ignore-not-found', '--wait=false']);
}
