import { annotations } from '../../core/api/names.ts';
import type { Clock } from '../../core/clock.ts';
import { errorText } from '../../core/failure.ts';
import { callWithin } from '../../runtime/call-within.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Log } from '../../runtime/log.ts';
import { recordAt } from '../../runtime/raw-object.ts';
import { findSnapshot } from '../../runtime/restorable-snapshot.ts';
import {
  type AdmissionRequest,
  admissionAnswer,
  parseAdmissionReview,
} from './admission-review.ts';
import { decide, type Observed } from './decide.ts';
import type { WebhookMetrics } from './metrics.ts';

/** What answering needs from the process. */
export type AdmitDeps = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<WebhookMetrics, 'answered'>;
  readonly initImage: string;
};

/** An answer over HTTP. */
export type HttpReply = { readonly code: number; readonly body: string };

/** Well within the `timeoutSeconds` of deploy/webhook.yaml, so that the words reach who asked. */
const readMilliseconds = 3_000;

/**
 * Answers one call of the API server about a pod that is being created. It reads and writes nothing, so that a dry run needs no care, and the pod
 * may be shown to it twice.
 */
export async function admit(
  deps: AdmitDeps,
  body: string,
  signal: AbortSignal,
): Promise<HttpReply> {
  const started = deps.clock.monotonicMilliseconds();
  const answered = (outcome: Parameters<WebhookMetrics['answered']>[0]): void =>
    deps.metrics.answered(outcome, (deps.clock.monotonicMilliseconds() - started) / 1000);
  const parsed = parseAdmissionReview(body);
  if (!parsed.ok) {
    answered('invalid');
    return { code: 400, body: `no AdmissionReview: ${parsed.message}\n` };
  }
  const request = parsed.value;
  const observed = await observe(deps, request, signal);
  const verdict = decide(observed);
  answered(verdict.outcome);
  if ('message' in verdict) {
    const fields = { namespace: request.namespace, message: verdict.message };
    deps.log.info(fields, 'a pod was not admitted');
  }
  return { code: 200, body: JSON.stringify(admissionAnswer(request, verdict)) };
}

async function observe(
  { clock, initImage, kube }: AdmitDeps,
  request: AdmissionRequest,
  signal: AbortSignal,
): Promise<Observed> {
  const { namespace, object: pod, operation, resource, subResource } = request;
  const found = recordAt(recordAt(pod, 'metadata'), 'annotations')[annotations.restoreFrom];
  const created =
    operation === 'CREATE' &&
    resource.group === '' &&
    resource.resource === 'pods' &&
    subResource === '';
  const source = created && typeof found === 'string' ? found : undefined;
  const unread = (message: string): Observed => ({
    ...{ pod, source, initImage },
    snapshot: { state: 'unread', message },
  });
  if (source === undefined) return unread('');
  try {
    const { view } = await callWithin(clock, readMilliseconds, signal, (within) =>
      findSnapshot(kube, namespace, source, within),
    );
    return { pod, source, initImage, snapshot: view };
  } catch (error) {
    return unread(`PodSnapshot ${source} could not be read: ${errorText(error)}; try again`);
  }
}
