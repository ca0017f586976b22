import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { type Parsed, parseWith } from '../../core/api/metadata.ts';
import type { PodManifest } from '../../core/restore/pod-manifest.ts';
import { isRecord, recordAt } from '../../runtime/raw-object.ts';
import type { Verdict } from './decide.ts';

const apiVersion = 'admission.k8s.io/v1';

const reviewSchema = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('AdmissionReview'),
  request: z.looseObject({
    uid: z.string().min(1),
    operation: z.string(),
    resource: z.looseObject({ group: z.string().default(''), resource: z.string() }),
    subResource: z.string().default(''),
    namespace: z.string().default(''),
    object: z.record(z.string(), z.unknown()),
  }),
});
/** What the API server asks of an admission webhook. */
export type AdmissionRequest = z.infer<typeof reviewSchema>['request'];

const parseReview = (raw: unknown): Parsed<z.infer<typeof reviewSchema>> =>
  parseWith(reviewSchema, raw);

/** The request in the body of a call; the message says what is wrong with one that is none. */
export function parseAdmissionReview(body: string): Parsed<AdmissionRequest> {
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch {
    return { ok: false, message: 'the body is no JSON' };
  }
  const parsed = parseReview(raw);
  return parsed.ok ? { ok: true, value: parsed.value.request } : parsed;
}

/** Seconds after which a client that was not answered may well try again. */
const retryAfterSeconds = 1;

/** The AdmissionReview that answers a request. */
export function admissionAnswer(request: AdmissionRequest, verdict: Verdict): object {
  return {
    apiVersion,
    kind: 'AdmissionReview',
    response: { uid: request.uid, ...said(request, verdict) },
  };
}

function said(request: AdmissionRequest, verdict: Verdict): object {
  if (verdict.outcome === 'unchanged') return { allowed: true };
  if (verdict.outcome === 'shaped') {
    const patch = Buffer.from(JSON.stringify(patchTo(request.object, verdict.pod)));
    return { allowed: true, patchType: 'JSONPatch', patch: patch.toString('base64') };
  }
  const status =
    verdict.outcome === 'refused'
      ? { code: 403, reason: 'Forbidden' }
      : { code: 503, reason: 'ServiceUnavailable', details: { retryAfterSeconds } };
  return { allowed: false, status: { ...status, message: verdict.message } };
}

type Operation =
  | { readonly op: 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** A JSON Patch from the pod to its shape: whole fields of metadata and spec, which is all that shaping changes. */
export function patchTo(pod: AdmissionRequest['object'], shape: PodManifest): readonly Operation[] {
  return (['metadata', 'spec'] as const).flatMap((part) => {
    const before = recordAt(pod, part);
    const after: unknown = shape[part];
    if (!isRecord(after)) return [];
    const changed = Object.entries(after)
      .filter(([field, value]) => !isDeepStrictEqual(value, before[field]))
      // On a field that is there, `add` replaces it.
      .map(([field, value]) => ({ op: 'add', path: `/${part}/${pointer(field)}`, value }) as const);
    const gone = Object.keys(before)
      .filter((field) => !(field in after))
      .map((field) => ({ op: 'remove', path: `/${part}/${pointer(field)}` }) as const);
    return [...changed, ...gone];
  });
}

/** A field as a part of a JSON Pointer (RFC 6901). */
const pointer = (field: string): string => field.replaceAll('~', '~0').replaceAll('/', '~1');
