import * as z from 'zod';
import type { DumpResult } from '../capture/backend.ts';

const dumpSchema: z.ZodType<DumpResult> = z.object({
  freezeMilliseconds: z.number(),
  containers: z.array(
    z.object({
      name: z.string(),
      freezeMilliseconds: z.number(),
      frozenAt: z.string(),
      imagesDirectory: z.string(),
      rootfsTar: z.string(),
      mounts: z.array(
        z.object({
          path: z.string(),
          treatment: z.enum(['rootfs', 'criu', 'external', 'volume']),
          volume: z.string().optional(),
          kind: z.string().optional(),
          subPath: z.string().optional(),
          claim: z.string().optional(),
        }),
      ),
      stdio: z.array(z.string()),
      options: z.array(z.string()),
    }),
  ),
  volumeTars: z.array(z.object({ name: z.string(), path: z.string() })),
  criuVersion: z.string(),
});

const publishedSchema = z.object({
  digest: z.string(),
  sizeBytes: z.number(),
  storedBytes: z.number(),
  store: z.string(),
});
/** The artifact of a capture as status names it. */
export type Published = z.infer<typeof publishedSchema>;

const factsSchema = z.object({
  /** Wall clock at which the first attempt began, RFC 3339. */
  startedAt: z.string(),
  /** Restart count of each container when the gate saw it; a different one later is a different process. */
  restartCounts: z.record(z.string(), z.number().int()).default({}),
  /** The kernel's boot the staging files were written under: their pages survive the agent's death, not the machine's. */
  bootID: z.string().optional(),
  /** One that an older agent noted is not known: the source is captured again. */
  dump: dumpSchema.optional().catch(undefined),
  images: z
    .array(z.object({ container: z.string(), image: z.string(), imageID: z.string() }))
    .default([]),
  limits: z.record(z.string(), z.record(z.string(), z.string())).default({}),
  /** Every staging file with its size, taken after the dump; a resumed publish compares. */
  files: z.array(z.object({ path: z.string(), sizeBytes: z.number() })).optional(),
  network: z
    .object({ hostname: z.string().optional(), podIPs: z.array(z.string()) })
    .default({ podIPs: [] }),
  published: publishedSchema.optional(),
  /** Of an artifact that was found standing, where the dump itself is not known. */
  freezeMilliseconds: z.number().optional(),
});
/** What an attempt has learned so far, as kept in the journal. */
export type CaptureFacts = z.infer<typeof factsSchema>;

/** The facts in an intent; undefined when the text is not ours (an older version, a damaged row). */
export function parseFacts(text: string): CaptureFacts | undefined {
  try {
    const result = factsSchema.safeParse(JSON.parse(text));
    return result.success ? result.data : undefined;
  } catch {
    // Not JSON: the same answer as the wrong JSON.
    return undefined;
  }
}

/** The text an intent keeps. */
export const formatFacts = (facts: CaptureFacts): string => JSON.stringify(facts);
