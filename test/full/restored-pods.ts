import { expect } from 'vitest';
import { type Pod, parsePod } from '../../core/api/workload.ts';
import type { Bed } from '../bed/bed.ts';
import { placeholderPod } from '../e2e/workloads.ts';
import type { AgentOnNode } from './agent-node.ts';

/** What the tests restore. */
export const counterImage = 'cryopod.dev/sample-counter:dev';
export const cacheDirectory = '/var/lib/cryopod/restore/cache';
const workDirectory = '/var/lib/cryopod/restore/work';

/** The control directory of container `main`, on its node. */
export const controlDirectoryOf = (podUID: string): string =>
  `/var/lib/kubelet/pods/${podUID}/volumes/kubernetes.io~empty-dir/snapshot-control/main`;

/** Pods that are restored, in one namespace and from one snapshot. */
export type RestoredPods = {
  readonly create: (
    name: string,
    change: {
      readonly nodeName: string;
      readonly snapshot: string;
      readonly restartPolicy?: string;
      readonly volumes?: readonly object[];
      readonly volumeMounts?: readonly object[];
    },
  ) => Promise<Pod>;
  readonly read: (name: string) => Promise<Pod>;
  /** `True/RestoreSucceeded: message`. */
  readonly condition: (name: string) => Promise<string>;
  readonly says: (name: string, wanted: RegExp, deadlineMs: number) => Promise<string>;
  /** Deletes it, and holds that the kubelet gets rid of it in time, that nothing of ours is mounted or kept for it. */
  readonly remove: (pod: Pod, agent: AgentOnNode) => Promise<void>;
};

const conditionOf = (pod: Pod, type: string) =>
  pod.status.conditions.find((condition) => condition.type === type);

/** `namespace`: where they are. */
export function restoredPods(bed: Bed, namespace: string): RestoredPods {
  const read = async (name: string): Promise<Pod> => {
    const text = await bed.kubectl(['get', 'pod', name, '-n', namespace, '-o', 'json']);
    const parsed = parsePod(JSON.parse(text));
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const textOf = (pod: Pod): string => {
    const found = conditionOf(pod, 'nvidia.com/Restored');
    return `${found?.status}/${found?.reason}: ${found?.message}`;
  };
  return {
    create: async (name, { volumeMounts = [], ...rest }) => {
      const containers = [{ name: 'main', image: counterImage, volumeMounts }];
      await bed.apply(placeholderPod({ name, namespace, ...rest, containers }));
      return read(name);
    },
    read,
    condition: async (name) => textOf(await read(name)),
    says: (name, wanted, deadlineMs) =>
      bed.waitFor(
        `${name} to say ${wanted}`,
        async () => {
          const pod = await read(name);
          const text = textOf(pod);
          // Whatever happens meanwhile: never Ready without the restored process.
          if (conditionOf(pod, 'Ready')?.status === 'True') expect(text).toMatch(/^True/);
          return wanted.test(text) ? text : undefined;
        },
        deadlineMs,
      ),
    remove: async ({ metadata: { name, uid } }, agent) => {
      await bed.kubectl(['delete', 'pod', name, '-n', namespace, '--wait=true', '--timeout=30s']);
      await bed.waitFor(
        `nothing of pod ${name} to be left on its node`,
        async () => {
          const left = [
            `ls -d /var/lib/kubelet/pods/${uid} ${workDirectory}/${uid} 2>/dev/null`,
            "grep -F '/.cryopod' /proc/[0-9]*/mounts 2>/dev/null",
            "pgrep -af '[l]ibexec/cryopod/enter'",
          ];
          const found = await agent.script(left.map((look) => `${look} || true`).join('\n'));
          return found.trim() === '' ? true : undefined;
        },
        30_000,
      );
    },
  };
}
