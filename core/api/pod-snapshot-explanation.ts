import * as z from 'zod';
import { dnsSubdomain, metadataSchema, objectUID, type Parsed, parseWith } from './metadata.ts';
import { extensionApiVersion } from './names.ts';
import { captureOptionsShape, containerNames } from './pod-snapshot.ts';

/** Whether a capture would be begun; `Unknown`: the pod could not be looked at, and the message says why. */
export const explanationAnswers = ['Capturable', 'Blocked', 'Unknown'] as const;

const count = z.number().int().min(0);

/** A PodSnapshotExplanation as the API server stores it. */
export const podSnapshotExplanationSchema = z.object({
  apiVersion: z.literal(extensionApiVersion).default(extensionApiVersion),
  kind: z.literal('PodSnapshotExplanation').default('PodSnapshotExplanation'),
  metadata: metadataSchema,
  spec: z.object({
    podRef: z.object({ name: dnsSubdomain, uid: objectUID, containers: containerNames }),
    nodeName: dnsSubdomain,
    afterCapture: captureOptionsShape.afterCapture,
    tcp: captureOptionsShape.tcp,
  }),
  status: z
    .object({
      answer: z.enum(explanationAnswers).optional(),
      message: z.string().optional(),
      estimatedBytes: count.optional(),
      expectedFreezeMilliseconds: count.optional(),
      captured: z.array(z.object({ what: z.string(), bytes: count })).default([]),
      notCaptured: z.array(z.string()).default([]),
      lost: z.array(z.string()).default([]),
      blockers: z.array(z.object({ check: z.string(), message: z.string() })).default([]),
    })
    .prefault({}),
});
/** A user's question what a capture of a pod would be; answered once by the agent of its node, then deleted. */
export type PodSnapshotExplanation = z.infer<typeof podSnapshotExplanationSchema>;

/** Raw JSON to PodSnapshotExplanation; the message names each offending field. */
export const parsePodSnapshotExplanation = (raw: unknown): Parsed<PodSnapshotExplanation> =>
  parseWith(podSnapshotExplanationSchema, raw);
