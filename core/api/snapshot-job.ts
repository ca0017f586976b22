import * as z from 'zod';
import { conditionSchema } from './conditions.ts';
import { dnsLabel, metadataSchema, type Parsed, parseWith } from './metadata.ts';
import { apiVersion } from './names.ts';

/** The name becomes a label value, the name of the Job and that of the PodSnapshot. */
const longestName = 63;
/** What the Job takes: its controller counts in int32. */
const longestDeadlineSeconds = 2_147_483_647;

/** A pod template, known as far as rules look into it; the API server checks the rest when the Job is made. */
const podTemplateSchema = z.looseObject({
  spec: z.looseObject({
    containers: z
      .array(z.looseObject({ name: z.string().min(1).max(63) }))
      .min(1)
      .max(64),
  }),
});

/** A SnapshotJob as the API server stores it. */
export const snapshotJobSchema = z.object({
  apiVersion: z.literal(apiVersion).default(apiVersion),
  kind: z.literal('SnapshotJob').default('SnapshotJob'),
  metadata: metadataSchema.refine(({ name }) => name.length <= longestName, {
    path: ['name'],
    message: `must have at most ${longestName} characters`,
  }),
  spec: z
    .object({
      podTemplate: podTemplateSchema,
      podSnapshotTemplate: z.object({
        targetContainers: z.array(dnsLabel).min(1).max(1).default(['main']),
      }),
      activeDeadlineSeconds: z.number().int().min(1).max(longestDeadlineSeconds).default(3600),
      readiness: z.enum(['Sentinel', 'PodReady']).default('Sentinel'),
    })
    .refine(
      ({ podTemplate, podSnapshotTemplate }) =>
        podSnapshotTemplate.targetContainers.every((target) =>
          podTemplate.spec.containers.some(({ name }) => name === target),
        ),
      'targetContainers must name containers present in podTemplate',
    ),
  status: z
    .object({
      sourceJobUID: z.string().optional(),
      podSnapshotName: z.string().optional(),
      podSnapshotUID: z.string().optional(),
      startedAt: z.string().optional(),
      completedAt: z.string().optional(),
      conditions: z.array(conditionSchema).default([]),
      observedGeneration: z.number().int().optional(),
    })
    .prefault({}),
});
/** A user's request to run a pod as a Job once and to capture it once; its PodSnapshot outlives it. */
export type SnapshotJob = z.infer<typeof snapshotJobSchema>;

/** Raw JSON to SnapshotJob; the message names each offending field. */
export const parseSnapshotJob = (raw: unknown): Parsed<SnapshotJob> =>
  parseWith(snapshotJobSchema, raw);
