import * as z from 'zod';
import type { Pod } from './workload.ts';

/**
 * Condition of a restored pod beside `nvidia.com/Restored`, written with it and by the same agent. Its message is for programs: the figures of the restore as JSON.
 */
export const restoreProgressCondition = 'nvidia.com/RestoreProgress';
/** Its only reason. */
export const restoreProgressReason = 'Figures';

const count = z.number().int().min(0);
const progressSchema = z.object({
  /** Containers of the pod that were restored into, or tried. */
  attempts: count,
  /** What the attempt is at; absent where none is under way. */
  step: z.enum(['Fetching', 'Restoring']).optional(),
  bytesFetched: count.optional(),
  restoreMilliseconds: count.optional(),
});
/** The figures of a restore. */
export type RestoreProgress = z.infer<typeof progressSchema>;

/** The condition as it stands in a pod's status. */
export const restoreProgressMessage = (progress: RestoreProgress): string =>
  JSON.stringify(progress);

/** What the agent of the pod's node said; undefined where it said nothing that can be read. */
export function restoreProgressOf({ status }: Pick<Pod, 'status'>): RestoreProgress | undefined {
  const found = status.conditions.find(({ type }) => type === restoreProgressCondition);
  if (typeof found?.message !== 'string') return undefined;
  try {
    const parsed = progressSchema.safeParse(JSON.parse(found.message));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Not JSON: nobody of ours wrote it.
    return undefined;
  }
}
