import * as z from 'zod';
import { conditionSchema } from './conditions.ts';
import { dnsLabel, metadataSchema, type Parsed, parseWith } from './metadata.ts';
import { apiVersion } from './names.ts';

export const checkpointPhases = ['Pending', 'Creating', 'Ready', 'Failed'] as const;
export type CheckpointPhase = (typeof checkpointPhases)[number];

export const checkpointIdentitySchema = z.object({
  model: z.string().min(1),
  backendFramework: z.enum(['vllm', 'sglang', 'trtllm']),
  dynamoVersion: z.string().optional(),
  tensorParallelSize: z.number().int().min(1).default(1),
  pipelineParallelSize: z.number().int().min(1).default(1),
  dtype: z.string().optional(),
  maxModelLen: z.number().int().min(1).optional(),
  extraParameters: z.record(z.string(), z.string()).optional(),
});
export type CheckpointIdentity = z.infer<typeof checkpointIdentitySchema>;

export const dynamoCheckpointSchema = z.object({
  apiVersion: z.literal(apiVersion).default(apiVersion),
  kind: z.literal('DynamoCheckpoint').default('DynamoCheckpoint'),
  metadata: metadataSchema,
  spec: z.object({
    identity: checkpointIdentitySchema.optional(),
    gpuMemoryService: z.record(z.string(), z.unknown()).optional(),
    job: z.object({
      /** Kept as it came: the API server validates it in a dry-run create of the Job. */
      podTemplateSpec: z.record(z.string(), z.unknown()),
      targetContainerName: dnsLabel.default('main'),
      sharedMemory: z
        .object({
          disabled: z.boolean().optional(),
          size: z.union([z.string(), z.number()]).optional(),
        })
        .optional(),
      activeDeadlineSeconds: z.number().int().min(1).default(3600),
      backoffLimit: z.number().int().min(0).optional(),
      ttlSecondsAfterFinished: z.number().int().min(0).optional(),
      readiness: z.enum(['Sentinel', 'PodReady']).default('Sentinel'),
    }),
  }),
  status: z
    .object({
      phase: z.enum(checkpointPhases).optional(),
      checkpointID: z.string().optional(),
      identityHash: z.string().optional(),
      jobName: z.string().optional(),
      podSnapshotName: z.string().optional(),
      location: z.string().optional(),
      storageType: z.string().optional(),
      createdAt: z.string().optional(),
      message: z.string().optional(),
      conditions: z.array(conditionSchema).default([]),
      observedGeneration: z.number().int().optional(),
    })
    .prefault({}),
});
/** A user's request to run a pod as a Job and capture it when it is ready. */
export type DynamoCheckpoint = z.infer<typeof dynamoCheckpointSchema>;

/** Raw JSON to DynamoCheckpoint; the message names each offending field. */
export const parseDynamoCheckpoint = (raw: unknown): Parsed<DynamoCheckpoint> =>
  parseWith(dynamoCheckpointSchema, raw);
