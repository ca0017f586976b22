import * as z from 'zod';
import { metadataSchema, type Parsed, parseWith } from './metadata.ts';

const probe = z.record(z.string(), z.unknown());
const mountSchema = z.looseObject({
  name: z.string(),
  mountPath: z.string(),
  subPath: z.string().optional(),
});
const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string().default(''),
  volumeMounts: z.array(mountSchema).default([]),
  livenessProbe: probe.optional(),
  resources: z
    .looseObject({ limits: z.record(z.string(), z.union([z.string(), z.number()])).optional() })
    .optional(),
});

const containerStatusSchema = z.looseObject({
  name: z.string(),
  ready: z.boolean().default(false),
  containerID: z.string().optional(),
  image: z.string().default(''),
  imageID: z.string().default(''),
  restartCount: z.number().int().default(0),
  state: z
    .object({
      waiting: z.looseObject({ reason: z.string().optional() }).optional(),
      running: z.looseObject({ startedAt: z.string().optional() }).optional(),
      terminated: z
        .looseObject({ exitCode: z.number().int(), reason: z.string().optional() })
        .optional(),
    })
    .default({}),
});
/** A container as the kubelet reports it; `containerID` is `<runtime>://<id>`. */
export type ContainerStatus = z.infer<typeof containerStatusSchema>;

/** Reads a core/v1 Pod. */
export const podSchema = z.object({
  metadata: metadataSchema,
  spec: z.looseObject({
    nodeName: z.string().optional(),
    hostNetwork: z.boolean().optional(),
    hostPID: z.boolean().optional(),
    hostIPC: z.boolean().optional(),
    shareProcessNamespace: z.boolean().optional(),
    containers: z.array(containerSchema).default([]),
    volumes: z
      .array(
        z.looseObject({
          name: z.string(),
          persistentVolumeClaim: z.looseObject({ claimName: z.string() }).optional(),
        }),
      )
      .default([]),
  }),
  status: z
    .looseObject({
      phase: z.string().default('Unknown'),
      podIP: z.string().optional(),
      containerStatuses: z.array(containerStatusSchema).default([]),
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
    })
    .prefault({}),
});
/** The fields of a core/v1 Pod that Cryopod reads; spec keeps unknown fields. */
export type Pod = z.infer<typeof podSchema>;

/** Reads a batch/v1 Job. */
export const jobSchema = z.object({
  metadata: metadataSchema,
  spec: z.looseObject({}).prefault({}),
  status: z
    .looseObject({
      active: z.number().int().optional(),
      ready: z.number().int().optional(),
      succeeded: z.number().int().optional(),
      failed: z.number().int().optional(),
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .default([]),
    })
    .prefault({}),
});
/** The fields of a batch/v1 Job that Cryopod reads. */
export type Job = z.infer<typeof jobSchema>;

/** The condition of a Job of a type, if it is True. */
export const trueJobCondition = (
  { status }: Job,
  type: string,
): Job['status']['conditions'][number] | undefined =>
  status.conditions.find((condition) => condition.type === type && condition.status === 'True');

/** Complete or Failed: its pods will do nothing more. */
export const isJobOver = (job: Job): boolean =>
  (trueJobCondition(job, 'Complete') ?? trueJobCondition(job, 'Failed')) !== undefined;

/** Reads a coordination.k8s.io/v1 Lease. */
export const leaseSchema = z.object({
  metadata: metadataSchema,
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().int().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().int().nullish(),
    })
    .prefault({}),
});
/** A coordination.k8s.io/v1 Lease; its times are opaque strings, compared for equality only. */
export type Lease = z.infer<typeof leaseSchema>;

/** Raw JSON to Pod; the message names each offending field. */
export const parsePod = (raw: unknown): Parsed<Pod> => parseWith(podSchema, raw);
/** Raw JSON to Job; the message names each offending field. */
export const parseJob = (raw: unknown): Parsed<Job> => parseWith(jobSchema, raw);
/** Raw JSON to Lease; the message names each offending field. */
export const parseLease = (raw: unknown): Parsed<Lease> => parseWith(leaseSchema, raw);
