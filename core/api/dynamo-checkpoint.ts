import * as z from 'zod';
import { conditionSchema } from './conditions.ts';
import { dnsLabel, metadataSchema, type Parsed, parseWith } from './metadata.ts';
import { apiVersion } from './names.ts';

const int32 = z.number().int().max(2_147_483_647);

/** Where a checkpoint stands; Ready and Failed are the ends. */
export const checkpointPhases = ['Pending', 'Creating', 'Ready', 'Failed'] as const;
/** One phase of a checkpoint. */
export type CheckpointPhase = (typeof checkpointPhases)[number];

/** What makes two checkpoints of an inference server interchangeable. */
export const checkpointIdentitySchema = z.object({
  model: z.string().min(1).max(1024),
  backendFramework: z.enum(['vllm', 'sglang', 'trtllm']),
  dynamoVersion: z.string().max(256).optional(),
  tensorParallelSize: int32.min(1).default(1),
  pipelineParallelSize: int32.min(1).default(1),
  dtype: z.string().max(256).optional(),
  maxModelLen: int32.min(1).optional(),
  extraParameters: z
    .record(z.string(), z.string().max(4096))
    .refine((parameters) => Object.keys(parameters).length <= 64, 'must have at most 64 entries')
    .optional(),
});
/** The identity, sizes filled with 1 where absent. */
export type CheckpointIdentity = z.infer<typeof checkpointIdentitySchema>;

/** A Kubernetes quantity above zero, without the forms that nobody writes for memory (n, u, m, signs). */
const sharedMemorySize = z
  .string()
  .max(32)
  .regex(
    /^([1-9][0-9]*(\.[0-9]+)?|0\.[0-9]*[1-9][0-9]*)([KMGTPE]i|[kMGTPE]|[eE][0-9]{1,2})?$/,
    'must be a quantity above zero',
  );

/** A DynamoCheckpoint as the API server stores it. */
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
          disabled: z.boolean().default(false),
          size: z.union([sharedMemorySize, z.number().int().min(1)]).default('8Gi'),
        })
        .prefault({}),
      activeDeadlineSeconds: int32.min(1).default(3600),
      backoffLimit: int32.min(0).optional(),
      ttlSecondsAfterFinished: int32.min(0).optional(),
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
