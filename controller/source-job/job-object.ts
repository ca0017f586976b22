import type { RawObject } from '../../runtime/kube-port.ts';
import { type PodTemplate, parsePodTemplate } from './pod-template.ts';
import { shapeTemplate, type TemplateOptions } from './shape-template.ts';

/** A shaped template, or why there is none; of `NoTemplate` the message is the second half of a sentence about the field. */
export type SourceTemplate =
  | { readonly ok: true; readonly template: PodTemplate }
  | {
      readonly ok: false;
      readonly reason: 'NoTemplate' | 'NoTarget';
      readonly message: string;
    };

/** A user's pod template as a source Job runs it. */
export function sourceTemplate(raw: unknown, options: TemplateOptions): SourceTemplate {
  const parsed = parsePodTemplate(raw);
  if (!parsed.ok) {
    return { ok: false, reason: 'NoTemplate', message: `is no pod template: ${parsed.message}.` };
  }
  const template = shapeTemplate(parsed.value, options);
  if (template !== undefined) return { ok: true, template };
  const names = parsed.value.spec.containers.map(({ name }) => name).join(', ');
  return {
    ok: false,
    reason: 'NoTarget',
    message: `The pod template has no container ${options.targetContainerName}; it has: ${names}.`,
  };
}

/** What tells one source Job from another. Times in seconds. */
export type SourceJobOptions = {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: RawObject;
  readonly activeDeadlineSeconds: number;
  readonly ttlSecondsAfterFinished: number | undefined;
  readonly template: PodTemplate;
};

/**
 * The batch/v1 Job of a source. It never retries by itself: a restarted pod would be another process than the one that is
 * captured.
 */
export function sourceJob(options: SourceJobOptions): RawObject {
  const { activeDeadlineSeconds, template, ttlSecondsAfterFinished } = options;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: options.name,
      namespace: options.namespace,
      labels: options.labels,
      ownerReferences: [options.owner],
    },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds,
      ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
      template,
    },
  };
}
