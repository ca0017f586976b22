import type { Parsed } from '../core/api/metadata.ts';
import { type Node, parseNode } from '../core/api/node.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../core/api/pod-snapshot-content.ts';
import { restoredCondition } from '../core/api/restore.ts';
import { restoreProgressCondition } from '../core/api/restore-progress.ts';
import { type Job, type Pod, parseJob, parsePod } from '../core/api/workload.ts';
import type { RawObject } from '../runtime/kube-port.ts';
import { isRecord, recordAt } from '../runtime/raw-object.ts';

/** A pod without its spec but for the node: thousands of them stay in memory, and decisions read pods uncached. */
export function parseSlimPod(raw: RawObject): Parsed<Pod> {
  const { nodeName } = recordAt(raw, 'spec');
  const { phase } = recordAt(raw, 'status');
  return parsePod({
    metadata: raw.metadata,
    spec: nodeName === undefined ? {} : { nodeName },
    status: phase === undefined ? {} : { phase },
  });
}

/** A Job without its spec: only owner and outcome are looked at. */
export function parseSlimJob(raw: RawObject): Parsed<Job> {
  return parseJob({ metadata: raw.metadata, spec: {}, status: raw.status ?? {} });
}

/** A content without the pod template, by far its largest part, which only a restore reads. */
export function parseSlimContent(raw: RawObject): Parsed<PodSnapshotContent> {
  const spec = recordAt(raw, 'spec');
  const { template: _template, ...source } = recordAt(spec, 'source');
  return parsePodSnapshotContent({ ...raw, spec: { ...spec, source } });
}

const restoreConditions: readonly unknown[] = [
  restoredCondition,
  restoreProgressCondition,
  'PodScheduled',
];

/** A pod that a PodRestore made: beside what `parseSlimPod` keeps, how far its restore is. */
export function parseRestorePod(raw: RawObject): Parsed<Pod> {
  const { nodeName } = recordAt(raw, 'spec');
  const { conditions, phase } = recordAt(raw, 'status');
  const kept = (Array.isArray(conditions) ? conditions : []).filter(
    (one) => isRecord(one) && restoreConditions.includes(one.type),
  );
  return parsePod({
    metadata: raw.metadata,
    spec: nodeName === undefined ? {} : { nodeName },
    status: { ...(phase === undefined ? {} : { phase }), conditions: kept },
  });
}

/** A node without its images, addresses, sizes and conditions, and without annotations, which others write all the time. */
export function parseSlimNode(raw: RawObject): Parsed<Node> {
  const {
    annotations: _annotations,
    managedFields: _managed,
    ...metadata
  } = recordAt(raw, 'metadata');
  const { nodeInfo } = recordAt(raw, 'status');
  return parseNode({ metadata, spec: raw.spec, status: { nodeInfo } });
}
