import * as z from 'zod';
import { type Parsed, parseWith } from '../api/metadata.ts';

const named = z.looseObject({ name: z.string() });

const containerSchema = z.looseObject({
  name: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: z.array(named).optional(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).optional(),
  resources: z
    .looseObject({
      requests: z.record(z.string(), z.unknown()).optional(),
      limits: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  lifecycle: z.looseObject({ postStart: z.unknown().optional() }).optional(),
  readinessProbe: z
    .looseObject({
      exec: z.looseObject({ command: z.array(z.string()).optional() }).optional(),
    })
    .optional(),
});
/** A container of a manifest: what shaping touches, the rest kept as it came. */
export type ManifestContainer = z.infer<typeof containerSchema>;

const podManifestSchema = z.looseObject({
  metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }).default({}),
  spec: z.looseObject({
    hostPID: z.boolean().optional(),
    shareProcessNamespace: z.boolean().optional(),
    readinessGates: z.array(z.looseObject({ conditionType: z.string() })).optional(),
    volumes: z
      .array(z.looseObject({ name: z.string(), emptyDir: z.unknown().optional() }))
      .optional(),
    initContainers: z
      .array(z.looseObject({ name: z.string(), restartPolicy: z.string().optional() }))
      .optional(),
    containers: z.array(containerSchema).min(1),
  }),
});
/** A pod or pod template before it is one in the cluster, known only as far as shaping needs it; the API server checks the rest. */
export type PodManifest = z.infer<typeof podManifestSchema>;

/** Raw JSON to PodManifest; the message names each offending field. */
export const parsePodManifest = (raw: unknown): Parsed<PodManifest> =>
  parseWith(podManifestSchema, raw);
