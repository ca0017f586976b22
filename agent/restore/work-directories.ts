import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Where attempts keep what they need for a moment, and what explains a failure: one directory a pod, in it one an attempt. */
export interface WorkDirectories {
  /** Made by who uses it. */
  of(podUID: string, attempt: string): string;
  /** After a restore that went well: nobody will ask. */
  discardAttempt(podUID: string, attempt: string): Promise<void>;
  /** Of a pod that is gone. */
  discard(podUID: string): Promise<void>;
  /** Of all pods that the kubelet has no directory of any more. */
  sweep(): Promise<void>;
}

/** Below `root`. `podsDirectory`: the kubelet's, as the agent sees it. */
export function workDirectories(root: string, podsDirectory: string): WorkDirectories {
  const of = (podUID: string, attempt: string): string => join(root, podUID, attempt);
  const discard = (podUID: string): Promise<void> =>
    rm(join(root, podUID), { recursive: true, force: true });
  return {
    of,
    discardAttempt: async (podUID, attempt) => {
      await rm(of(podUID, attempt), { recursive: true, force: true });
      // Earlier attempts that failed may stand beside it, and stay as long as the pod.
      await rmdir(join(root, podUID)).catch(() => undefined);
    },
    discard,
    sweep: async () => {
      for (const name of await readdir(root).catch(() => [])) {
        const isThere = await stat(join(podsDirectory, name)).then(
          () => true,
          (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
        );
        if (!isThere) await discard(name);
      }
    },
  };
}
