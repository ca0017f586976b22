import * as z from 'zod';
import { metadataSchema, type Parsed, parseWith } from './metadata.ts';

/** Reads a core/v1 Node. */
export const nodeSchema = z.object({
  metadata: metadataSchema,
  spec: z
    .object({
      unschedulable: z.boolean().optional(),
      taints: z
        .array(z.object({ key: z.string(), value: z.string().optional(), effect: z.string() }))
        .default([]),
    })
    .prefault({}),
  status: z
    .object({
      nodeInfo: z
        .object({ architecture: z.string().optional(), kernelVersion: z.string().optional() })
        .prefault({}),
    })
    .prefault({}),
});
/** The fields of a core/v1 Node that Cryopod reads. */
export type Node = z.infer<typeof nodeSchema>;

/** Raw JSON to Node; the message names each offending field. */
export const parseNode = (raw: unknown): Parsed<Node> => parseWith(nodeSchema, raw);
