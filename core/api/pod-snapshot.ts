import * as z from 'zod';
import { conditionSchema } from './conditions.ts';
import {
  dnsLabel,
  dnsSubdomain,
  metadataSchema,
  objectUID,
  type Parsed,
  parseWith,
} from './metadata.ts';
import { apiVersion } from './names.ts';
import { sourceStates, stages } from './stages.ts';

/** Options that a snapshot and its work order share, with the defaults of the CRD. */
export const captureOptionsShape = {
  deadlineSeconds: z.number().int().min(1).max(604_800).default(3600),
  freezeBudgetSeconds: z.number().int().min(1).max(3600).optional(),
  afterCapture: z.enum(['Resume', 'Terminate']).default('Resume'),
  tcp: z.enum(['Close', 'Established', 'Refuse']).default('Close'),
  waitForReady: z.boolean().default(true),
  deletionPolicy: z.enum(['Delete', 'Retain']).default('Delete'),
  cancel: z.boolean().default(false),
} as const;

/** 1..16 distinct container names. */
export const containerNames: z.ZodType<string[]> = z
  .array(dnsLabel)
  .min(1)
  .max(16)
  .refine((names) => new Set(names).size === names.length, 'container names must be unique');

/** The API server refuses a status with fractions or negative numbers in these fields. */
const count = z.number().int().min(0);

/** Bytes moved so far; written at most every 2 s. */
export const progressSchema = z.object({
  bytesDone: count,
  bytesTotal: count,
  bytesPerSecond: count.optional(),
  estimatedCompletionTime: z.string().optional(),
});
/** How many bytes were moved and at what speed. */
export type Progress = z.infer<typeof progressSchema>;

/** How long each stage of a capture took. */
export const stageMillisecondsSchema = z.object({
  queued: count.optional(),
  preparing: count.optional(),
  freezing: count.optional(),
  publishing: count.optional(),
});
/** Times by stage, whole milliseconds; a stage that was not reached is absent. */
export type StageMilliseconds = z.infer<typeof stageMillisecondsSchema>;

/** What was captured: `digest` is the manifest's, `sizeBytes` before and `storedBytes` after compression and dedup. */
export const artifactStatusSchema = z.object({
  digest: z.string(),
  sizeBytes: count,
  storedBytes: count,
  store: z.string(),
});
/** The artifact as status shows it. */
export type ArtifactStatus = z.infer<typeof artifactStatusSchema>;

/** Status fields that a content has and its snapshot mirrors. */
export const captureStatusShape = {
  conditions: z.array(conditionSchema).default([]),
  observedGeneration: z.number().int().optional(),
  nodeName: z.string().optional(),
  stage: z.enum(stages).default('Pending'),
  progress: progressSchema.optional(),
  freezeMilliseconds: count.optional(),
  stageMilliseconds: stageMillisecondsSchema.optional(),
  sourceState: z.enum(sourceStates).optional(),
  artifact: artifactStatusSchema.optional(),
  startedAt: z.string().optional(),
  completedAt: z.string().optional(),
  attempts: count.optional(),
} as const;

/** spec of a PodSnapshot, with the defaults of the CRD. */
export const podSnapshotSpecSchema = z.object({
  source: z
    .object({
      podRef: z
        .object({
          name: dnsSubdomain,
          uid: objectUID.optional(),
          containers: containerNames,
        })
        .optional(),
      contentName: dnsSubdomain.optional(),
    })
    .refine(
      (source) => (source.podRef === undefined) !== (source.contentName === undefined),
      'exactly one of podRef and contentName must be set',
    ),
  ...captureOptionsShape,
});

/** A PodSnapshot as the API server stores it. */
export const podSnapshotSchema = z.object({
  apiVersion: z.literal(apiVersion).default(apiVersion),
  kind: z.literal('PodSnapshot').default('PodSnapshot'),
  metadata: metadataSchema,
  spec: podSnapshotSpecSchema,
  status: z
    .object({ boundSnapshotContentName: z.string().optional(), ...captureStatusShape })
    .prefault({}),
});
/** A user's request to capture a pod, and the handle to the saved state afterwards. */
export type PodSnapshot = z.infer<typeof podSnapshotSchema>;

/** Raw JSON to PodSnapshot; the message names each offending field. */
export const parsePodSnapshot = (raw: unknown): Parsed<PodSnapshot> =>
  parseWith(podSnapshotSchema, raw);
