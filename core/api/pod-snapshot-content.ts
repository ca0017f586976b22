import * as z from 'zod';
import {
  dnsLabel,
  dnsSubdomain,
  metadataSchema,
  objectUID,
  type Parsed,
  parseWith,
} from './metadata.ts';
import { apiVersion } from './names.ts';
import { captureOptionsShape, captureStatusShape, containerNames } from './pod-snapshot.ts';

/** Facts about the node of a capture; informational. */
export const sourceNodeSchema = z.object({
  name: z.string(),
  architecture: z.string().optional(),
  kernelVersion: z.string().optional(),
  criuVersion: z.string().optional(),
  cpu: z.string().optional(),
});

/** Facts about the pod of a capture, per container name; informational. */
export const sourcePodSchema = z.object({
  images: z
    .array(z.object({ container: z.string(), image: z.string(), imageID: z.string() }))
    .default([]),
  limits: z.record(z.string(), z.record(z.string(), z.string())).optional(),
});

/** A PodSnapshotContent as the API server stores it. */
export const podSnapshotContentSchema = z.object({
  apiVersion: z.literal(apiVersion).default(apiVersion),
  kind: z.literal('PodSnapshotContent').default('PodSnapshotContent'),
  metadata: metadataSchema,
  spec: z.object({
    snapshotRef: z.object({
      namespace: dnsLabel,
      name: dnsSubdomain,
      uid: objectUID.optional(),
    }),
    source: z
      .object({
        podRef: z
          .object({ name: dnsSubdomain, uid: objectUID, containers: containerNames })
          .optional(),
        nodeName: dnsSubdomain.optional(),
        template: z.record(z.string(), z.unknown()).optional(),
        artifact: z
          .object({
            store: z.string().min(1).max(253),
            digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256:<64 hex digits>'),
          })
          .optional(),
      })
      .refine(
        (source) => (source.podRef === undefined) !== (source.artifact === undefined),
        'exactly one of podRef and artifact must be set',
      )
      .refine(
        (source) => source.podRef === undefined || source.nodeName !== undefined,
        'nodeName is required with podRef',
      ),
    ...captureOptionsShape,
  }),
  status: z
    .object({
      ...captureStatusShape,
      source: z
        .object({ node: sourceNodeSchema.optional(), pod: sourcePodSchema.optional() })
        .optional(),
    })
    .prefault({}),
});
/** A work order for one node: spec written by the controller only, status by the agent only. */
export type PodSnapshotContent = z.infer<typeof podSnapshotContentSchema>;
/** status of a content; written by the agent of its node. */
export type ContentStatus = PodSnapshotContent['status'];

/** Raw JSON to PodSnapshotContent; the message names each offending field. */
export const parsePodSnapshotContent = (raw: unknown): Parsed<PodSnapshotContent> =>
  parseWith(podSnapshotContentSchema, raw);
