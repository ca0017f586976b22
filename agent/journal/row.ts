import * as z from 'zod';
import type { ProcessIdentity } from '../capture/backend.ts';
import { type Intent, intentSteps } from './journal.ts';

/** One row of the table `intent`. Parsed on the way out: the file outlives the version of the agent that wrote it. */
const rowSchema = z.object({
  contentUID: z.string(),
  contentName: z.string(),
  namespace: z.string(),
  snapshotName: z.string(),
  podUID: z.string(),
  podName: z.string(),
  container: z.string(),
  attempt: z.number().int(),
  step: z.enum(intentSteps),
  stagingDirectory: z.string(),
  criuPid: z.number().int().nullable(),
  criuStartTicks: z.number().int().nullable(),
  sourcePid: z.number().int().nullable(),
  sourceStartTicks: z.number().int().nullable(),
  fence: z.number().int(),
  facts: z.string(),
});
export type Row = z.infer<typeof rowSchema>;

const identity = (pid: number | null, startTicks: number | null): ProcessIdentity | undefined =>
  pid === null || startTicks === null ? undefined : { pid, startTicks };

/** The intent in a row as SQLite gave it. Throws when the row is not one of ours. */
export function intentOfRow(raw: unknown): Intent {
  const { criuPid, criuStartTicks, sourcePid, sourceStartTicks, ...rest } = rowSchema.parse(raw);
  return {
    ...rest,
    criu: identity(criuPid, criuStartTicks),
    source: identity(sourcePid, sourceStartTicks),
  };
}

/** The row that stores an intent. */
export function rowOfIntent(intent: Intent): Row {
  const { criu, source, ...rest } = intent;
  return {
    ...rest,
    criuPid: criu?.pid ?? null,
    criuStartTicks: criu?.startTicks ?? null,
    sourcePid: source?.pid ?? null,
    sourceStartTicks: source?.startTicks ?? null,
  };
}
