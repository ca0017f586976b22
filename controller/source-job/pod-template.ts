import * as z from 'zod';
import { type Parsed, parseWith } from '../../core/api/metadata.ts';

const named = z.looseObject({ name: z.string() });
const mountSchema = z.looseObject({ name: z.string(), mountPath: z.string() });

const containerSchema = z.looseObject({
  name: z.string(),
  env: z.array(named).optional(),
  volumeMounts: z.array(mountSchema).optional(),
  securityContext: z.looseObject({ seccompProfile: z.unknown().optional() }).optional(),
});
/** A container of a pod template: what shaping touches, the rest kept as it came. */
export type TemplateContainer = z.infer<typeof containerSchema>;

const podTemplateSchema = z.looseObject({
  metadata: z
    .looseObject({
      labels: z.record(z.string(), z.string()).optional(),
      annotations: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  spec: z.looseObject({
    containers: z.array(containerSchema).min(1),
    volumes: z.array(named).optional(),
    initContainers: z.array(named).optional(),
    securityContext: z.looseObject({ seccompProfile: z.unknown().optional() }).optional(),
  }),
});
/** A pod template of a user, known only as far as shaping needs it; the API server checks the rest. */
export type PodTemplate = z.infer<typeof podTemplateSchema>;

/** Raw JSON to PodTemplate; the message names each offending field. */
export const parsePodTemplate = (raw: unknown): Parsed<PodTemplate> =>
  parseWith(podTemplateSchema, raw);
