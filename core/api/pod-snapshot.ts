import * as z from 'zod';
import { conditionSchema } from './conditions.ts';
import { dnsLabel, metadataSchema, type Parsed, parseWith } from './metadata.ts';
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

/** Bytes moved so far; written at most every 2 s. */
export const progressSchema = z.object({
  bytesDone: z.number(),
  bytesTotal: z.number(),
  bytesPerSecond: z.number().optional(),
  estimatedCompletionTime: z.string().optional(),
});
export type Progress = z.infer<typeof progressSchema>;

/** What was captured: `digest` is the manifest's, `sizeBytes` before and `storedBytes` after compression and dedup. */
export const artifactStatusSchema = z.object({
  digest: z.string(),
  sizeBytes: z.number(),
  storedBytes: z.number(),
  store: z.string(),
});
export type ArtifactStatus = z.infer<typeof artifactStatusSchema>;

/** Status fields that a content has and its snapshot mirrors. */
export const captureStatusShape = {
  conditions: z.array(conditionSchema).default([]),
  observedGeneration: z.number().int().optional(),
  nodeName: z.string().optional(),
  stage: z.enum(stages).default('Pending'),
  progress: progressSchema.optional(),
  freezeMilliseconds: z.number().optional(),
  sourceState: z.enum(sourceStates).optional(),
  artifact: artifactStatusSchema.optional(),
  startedAt: z.string().optional(),
  completedAt: z.string().optional(),
  attempts: z.number().int().optional(),
} as const;

export const podSnapshotSpecSchema = z.object({
  source: z
    .object({
      podRef: z
        .object({
          name: z.string().min(1).max(253),
          uid: z.string().min(1).optional(),
          containers: containerNames,
        })
        .optional(),
      contentName: z.string().min(1).max(253).optional(),
    })
    .refine(
      (source) => (source.podRef === undefined) !== (source.contentName === undefined),
      'exactly one of podRef and contentName must be set',
    ),
  ...captureOptionsShape,
});

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
