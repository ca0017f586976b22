import * as z from 'zod';
import { conditionSchema, findCondition } from './conditions.ts';
import {
  dnsLabel,
  dnsSubdomain,
  metadataSchema,
  objectUID,
  type Parsed,
  parseWith,
} from './metadata.ts';
import { extensionApiVersion, isOwnKey } from './names.ts';
import { type FailureReason, isFailureReason } from './reasons.ts';

/** How far a PodRestore is, as `status.phase` says it. */
export const podRestorePhases = [
  'Pending',
  'Scheduling',
  'Fetching',
  'Restoring',
  'Restored',
  'StartedCold',
  'Failed',
] as const;
/** One phase of a PodRestore. */
export type PodRestorePhase = (typeof podRestorePhases)[number];

/** A map of at most so many entries. */
const mapOf = <T extends z.ZodType>(value: T, most: number) =>
  z
    .record(z.string(), value)
    .refine((map) => Object.keys(map).length <= most, `must have at most ${most} entries`);

/** Labels or annotations of a user's choice. */
const marksOf = (longest: number) =>
  mapOf(z.string().max(longest), 64).refine(
    (marks) => !Object.keys(marks).some(isOwnKey),
    'keys nvidia.com/snapshot-... and nvidia.com/restore-... are set by Cryopod only',
  );

const quantities = mapOf(
  z
    .string()
    .max(32)
    .regex(/^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/, 'must be a quantity'),
  16,
);

/** A list in which no two entries have the same key, as the API server holds it. */
const listBy = <T extends z.ZodType>(
  entry: T,
  most: number,
  keyOf: (entry: z.infer<T>) => string,
) =>
  z
    .array(entry)
    .max(most)
    .refine(
      (entries) => new Set(entries.map(keyOf)).size === entries.length,
      'an entry stands there twice',
    );

const overridesSchema = z.object({
  labels: marksOf(63).default({}),
  annotations: marksOf(65_536).default({}),
  env: listBy(
    z.object({
      container: dnsLabel,
      name: z
        .string()
        .min(1)
        .max(256)
        .regex(/^[A-Za-z_][-._A-Za-z0-9]*$/, 'must be the name of a variable'),
      value: z.string().max(32_768).default(''),
    }),
    128,
    ({ container, name }) => `${container} ${name}`,
  ).default([]),
  resources: listBy(
    z.object({
      container: dnsLabel,
      requests: quantities.default({}),
      limits: quantities.default({}),
    }),
    32,
    ({ container }) => container,
  ).default([]),
});
/** What the new pod has other than the captured one. */
export type PodRestoreOverrides = z.infer<typeof overridesSchema>;

/** Why a node can take a restore, or cannot. */
export const candidateSchema = z.object({
  node: z.string(),
  fits: z.boolean(),
  reason: z.string().optional(),
});
/** One node as `status.candidates` shows it. */
export type Candidate = z.infer<typeof candidateSchema>;
/** As many as the status takes. */
export const mostCandidates = 100;

const count = z.number().int().min(0);

/** A PodRestore as the API server stores it. */
export const podRestoreSchema = z.object({
  apiVersion: z.literal(extensionApiVersion).default(extensionApiVersion),
  kind: z.literal('PodRestore').default('PodRestore'),
  metadata: metadataSchema,
  spec: z.object({
    snapshotName: dnsSubdomain,
    podName: dnsSubdomain.optional(),
    nodeSelector: mapOf(z.string().max(63), 32).default({}),
    overrides: overridesSchema.prefault({}),
    deadlineSeconds: z.number().int().min(1).max(604_800).default(600),
    maxAttempts: z.number().int().min(1).max(10).default(3),
    onFailure: z.enum(['Fail', 'ColdStart']).default('Fail'),
  }),
  status: z
    .object({
      phase: z.enum(podRestorePhases).optional(),
      snapshotUID: objectUID.optional(),
      podName: z.string().optional(),
      podUID: objectUID.optional(),
      nodeName: z.string().optional(),
      attempts: count.optional(),
      bytesFetched: count.optional(),
      restoreMilliseconds: count.optional(),
      candidates: z.array(candidateSchema).max(mostCandidates).optional(),
      completedAt: z.string().optional(),
      conditions: z.array(conditionSchema).default([]),
      observedGeneration: z.number().int().optional(),
    })
    .prefault({}),
});
/** A user's request to let a captured pod run again. */
export type PodRestore = z.infer<typeof podRestoreSchema>;

/** Raw JSON to PodRestore; the message names each offending field. */
export const parsePodRestore = (raw: unknown): Parsed<PodRestore> =>
  parseWith(podRestoreSchema, raw);

/** Why a restore ends without its pod, as its condition Restored has it from the verdict on; undefined where none was given. */
export function verdictOf({
  status,
}: PodRestore): { readonly reason: FailureReason; readonly message: string } | undefined {
  const { reason, message } = findCondition(status.conditions, 'Restored') ?? {};
  if (reason === undefined || message === undefined || !isFailureReason(reason)) return undefined;
  return { reason, message };
}
