import * as z from 'zod';
import type { CaptureProcesses } from '../capture/backend.ts';
import { type Intent, intentSteps } from './journal.ts';

/** One row of the table `intent`. Parsed on the way out: the file outlives the version of the agent that wrote it. */
const rowSchema = z.object({
  contentUID: z.string(),
  contentName: z.string(),
  namespace: z.string(),
  snapshotName: z.string(),
  podUID: z.string(),
  podName: z.string(),
  attempt: z.number().int(),
  step: z.enum(intentSteps),
  stagingDirectory: z.string(),
  /** JSON of `processesSchema`. */
  processes: z.string(),
  fence: z.number().int(),
  facts: z.string(),
});
export type Row = z.infer<typeof rowSchema>;

const identitySchema = z.object({ pid: z.number().int(), startTicks: z.number().int() });
const processesSchema: z.ZodType<readonly CaptureProcesses[]> = z.array(
  z.object({
    container: z.string(),
    source: identitySchema,
    criu: identitySchema.nullish().transform((criu) => criu ?? undefined),
  }),
);

/** The intent in a row as SQLite gave it. Throws when the row is not one of ours. */
export function intentOfRow(raw: unknown): Intent {
  const row = rowSchema.parse(raw);
  return { ...row, processes: processesSchema.parse(JSON.parse(row.processes)) };
}

/** The row that stores an intent. */
export function rowOfIntent(intent: Intent): Row {
  return { ...intent, processes: JSON.stringify(intent.processes) };
}
