import { readyPatch } from '../../../agent/order/status.ts';
import { contentObject } from '../../../controller/snapshot/content-object.ts';
import { mirrorPatch } from '../../../controller/snapshot/mirror.ts';
import { timestamp } from '../../../core/api/conditions.ts';
import type { Parsed } from '../../../core/api/metadata.ts';
import { apiVersion, finalizers } from '../../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../core/api/pod-snapshot-content.ts';
import { parsePod } from '../../../core/api/workload.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { someDump } from '../../unit/agent/order/support/fake-node.ts';

/** Where the bench puts its pods and snapshots. */
export const namespace = 'bench';

const container = 'main';
const image =
  'registry.example.com/team/service@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f';

/** A pod as large as those that one meets: environment, limits, probes, volumes. */
export const podObject = (name: string, nodeName: string): RawObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels: { app: 'service', team: 'bench' } },
  spec: {
    nodeName,
    terminationGracePeriodSeconds: 30,
    volumes: [
      { name: 'snapshot-control', emptyDir: {} },
      { name: 'cache', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } },
    ],
    containers: [
      {
        name: container,
        image,
        env: Array.from({ length: 20 }, (_, at) => ({
          name: `SETTING_${at}`,
          value: `value of the setting ${at}`,
        })),
        resources: { limits: { cpu: '2', memory: '4Gi' }, requests: { cpu: '1', memory: '4Gi' } },
        readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
        ports: [{ containerPort: 8080 }],
        volumeMounts: [
          { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: container },
          { name: 'cache', mountPath: '/var/cache/service' },
        ],
      },
    ],
  },
});

/** What a kubelet would report of it once it runs. */
export const runningStatus = (index: number): RawObject => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status: 'True' }],
  containerStatuses: [
    {
      name: container,
      ready: true,
      started: true,
      restartCount: 0,
      image,
      imageID: image,
      containerID: `containerd://${index.toString(16).padStart(64, '0')}`,
      state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
    },
  ],
});

/** A request to capture that pod. */
export const snapshotObject = (name: string, pod: string): RawObject => ({
  apiVersion,
  kind: 'PodSnapshot',
  metadata: { name, namespace },
  spec: { source: { podRef: { name: pod, containers: [container] } }, deadlineSeconds: 3600 },
});

/** One that was bound long ago: the finalizer is on it. */
export const oldSnapshotObject = (name: string): RawObject => {
  const object = snapshotObject(name, name);
  return { ...object, metadata: { name, namespace, finalizers: [finalizers.snapshot] } };
};

function parsed<T>(result: Parsed<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.message);
}

/** The content that the controller would have made of an old snapshot. */
export function oldContentObject(rawSnapshot: RawObject, nodeName: string): RawObject {
  const snapshot = parsed(parsePodSnapshot(rawSnapshot));
  const raw = podObject(snapshot.metadata.name, nodeName);
  const uid = `${snapshot.metadata.uid.slice(0, -4)}0000`;
  const whole = { ...raw, metadata: { ...(raw.metadata as RawObject), uid }, status: {} };
  return contentObject(snapshot, parsed(parsePod(whole)), raw);
}

/** The status that the agent would have written at the end. */
export function oldContentStatus(rawContent: RawObject, nodeName: string): RawObject {
  const content: PodSnapshotContent = parsed(parsePodSnapshotContent(rawContent));
  const facts = {
    startedAt: timestamp(Date.now()),
    restartCounts: { [container]: 0 },
    bootID: 'simulated',
    images: [{ container, image, imageID: image }],
    limits: { [container]: { cpu: '2', memory: '4Gi' } },
    network: { podIPs: [] },
    dump: someDump,
    published: {
      digest: `sha256:${'3b'.repeat(32)}`,
      sizeBytes: 2 ** 30,
      storedBytes: 2 ** 29,
      store: 'dir',
    },
  };
  const node = { name: nodeName, architecture: 'x86_64', kernelVersion: '6.1', cpu: 'simulated' };
  return readyPatch(content, facts, node, 1, Date.now());
}

/** The status that the controller would have copied from there. */
export function oldSnapshotStatus(rawSnapshot: RawObject, rawContent: RawObject): RawObject {
  const snapshot: PodSnapshot = parsed(parsePodSnapshot(rawSnapshot));
  const content = parsed(parsePodSnapshotContent(rawContent));
  const copied = mirrorPatch(snapshot, content, undefined, timestamp(Date.now())) ?? {};
  return { ...copied, boundSnapshotContentName: content.metadata.name };
}
