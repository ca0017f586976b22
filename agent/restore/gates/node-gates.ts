import { isAtLeast } from '../../../core/restore/kernel-version.ts';
import type { GateFacts } from './facts.ts';

/** What is asked of the node, whatever the container. */
export const nodeGates = {
  architecture: ({ captured, node }) =>
    captured.architecture && node.architecture && captured.architecture !== node.architecture
      ? [`this node is ${node.architecture}, the snapshot is of ${captured.architecture}`]
      : [],

  kernel: ({ captured, node }) =>
    captured.kernelVersion &&
    node.kernelVersion &&
    isAtLeast(node.kernelVersion, captured.kernelVersion) === false
      ? [
          `the kernel of this node is ${node.kernelVersion}, older than that of the snapshot, ${captured.kernelVersion}`,
        ]
      : [],

  cpu: ({ captured, node, cpuProblem }) =>
    cpuProblem === undefined
      ? []
      : [
          `the CPU of this node (${node.cpu ?? 'unknown'}) lacks what that of the snapshot (${captured.cpu ?? 'unknown'}) has: ${cpuProblem}`,
        ],
} as const satisfies Readonly<Record<string, (facts: GateFacts) => readonly string[]>>;
