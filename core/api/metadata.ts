import * as z from 'zod';

/** The part of ObjectMeta that Cryopod reads. Unknown fields are dropped: writes are patches, never whole objects. */
export const metadataSchema = z.object({
  name: z.string().min(1),
  namespace: z.string().optional(),
  uid: z.string().default(''),
  resourceVersion: z.string().default(''),
  generation: z.number().int().default(0),
  creationTimestamp: z.string().default(''),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
  ownerReferences: z
    .array(
      z.object({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
      }),
    )
    .default([]),
});
/** ObjectMeta as Cryopod reads it; absent strings are '', absent maps and lists empty. */
export type Metadata = z.infer<typeof metadataSchema>;

/** RFC 1123 label: container names, labels built from them. */
export const dnsLabel = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a lower-case DNS label');

/** RFC 1123 subdomain: names of pods, nodes, snapshots and contents. */
export const dnsSubdomain = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be a lower-case DNS subdomain',
  );

/** A UID as the API server gives it; opaque, compared for equality only. */
export const objectUID = z.string().min(1).max(128);

/** The result of parsing at the door. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

/** Parses with a zod schema; the message names each offending path. */
export function parseWith<T>(schema: z.ZodType<T>, raw: unknown): Parsed<T> {
  const result = schema.safeParse(raw);
  if (result.success) return { ok: true, value: result.data };
  const message = result.error.issues
    .map((issue) => `${issue.path.join('.') || 'object'}: ${issue.message}`)
    .join('; ');
  return { ok: false, message };
}
