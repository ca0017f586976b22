import * as z from 'zod';
import { type Kind, kinds } from '../../../core/api/kinds.ts';
import { parseWith } from '../../../core/api/metadata.ts';
import { systemNamespace } from '../../../core/api/names.ts';
import { errorText, isFailure } from '../../../core/failure.ts';
import type { Kube } from '../../../runtime/kube-port.ts';
import { recordAt } from '../../../runtime/raw-object.ts';
import { readRaw } from '../../../runtime/read-raw.ts';
import { clusterKinds, policyNames } from './cluster-kinds.ts';
import type { Check } from './report.ts';

/** What of the kinds must be served for anything to work. */
const ownKinds: readonly Kind[] = [
  kinds.podSnapshot,
  kinds.podSnapshotContent,
  kinds.dynamoCheckpoint,
  kinds.snapshotJob,
  kinds.podSnapshotExplanation,
  kinds.podRestore,
];

type Right = {
  readonly verb: string;
  readonly resource: string;
  readonly group?: string;
  readonly subresource?: string;
  readonly namespace?: string;
};

/** What the canary needs of whoever runs it. */
const canaryRights = (namespace: string): readonly Right[] => [
  { verb: 'create', resource: 'namespaces' },
  { verb: 'delete', resource: 'namespaces' },
  { verb: 'create', resource: 'pods', namespace },
  { verb: 'create', resource: 'pods', subresource: 'exec', namespace },
  { verb: 'create', resource: 'podsnapshots', group: kinds.podSnapshot.group, namespace },
  { verb: 'get', resource: 'podsnapshots', group: kinds.podSnapshot.group, namespace },
];
const readingRights: readonly Right[] = [
  { verb: 'list', resource: 'nodes' },
  {
    verb: 'list',
    resource: 'leases',
    group: kinds.lease.group,
    namespace: systemNamespace,
  },
];

/** Tries what may fail for want of a right; the message says so and nothing else stops. */
async function checked(
  check: string,
  work: () => Promise<Omit<Check, 'check'>>,
  signal: AbortSignal,
): Promise<Check> {
  try {
    return { check, ...(await work()) };
  } catch (error) {
    signal.throwIfAborted();
    if (!isFailure(error)) throw error;
    // Who may not look need not be told that something is wrong.
    const outcome = error.reason === 'Forbidden' ? 'skipped' : 'failed';
    return { check, outcome, message: errorText(error) };
  }
}

const ok = (message: string): Omit<Check, 'check'> => ({ outcome: 'ok', message });
const failed = (message: string): Omit<Check, 'check'> => ({ outcome: 'failed', message });

/** Checks of the cluster that need no node: rights, kinds, admission policies, webhook. `namespace`: of the canary; undefined where there is none. */
export const checkCluster = async (
  kube: Kube,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly Check[]> => [
  await checked('rights', () => checkRights(kube, namespace, signal), signal),
  await checked('kinds', () => checkKinds(kube, signal), signal),
  await checked('admission policies', () => checkPolicies(kube, signal), signal),
  await checked('webhook', () => checkWebhook(kube, signal), signal),
];

async function checkRights(kube: Kube, namespace: string | undefined, signal: AbortSignal) {
  const rights = [...readingRights, ...(namespace === undefined ? [] : canaryRights(namespace))];
  const missing: string[] = [];
  for (const right of rights) {
    const { kind, group, version } = clusterKinds.accessReview;
    const spec = { resourceAttributes: { group: '', ...right } };
    const asked = { apiVersion: `${group}/${version}`, kind, spec };
    const answer = await kube.create(clusterKinds.accessReview, asked, { dryRun: false }, signal);
    if (recordAt(answer, 'status').allowed !== true) missing.push(nameOf(right));
  }
  return missing.length === 0
    ? ok(`all ${rights.length} that this needs`)
    : failed(`missing: ${missing.join(', ')}`);
}

const nameOf = ({ verb, resource, group = '', subresource = '' }: Right): string =>
  `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`;

const definitionSchema = z.object({
  spec: z.looseObject({
    versions: z.array(z.looseObject({ name: z.string(), served: z.boolean() })),
  }),
  status: z
    .looseObject({
      conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
    })
    .prefault({}),
});

async function checkKinds(kube: Kube, signal: AbortSignal) {
  const problems: string[] = [];
  for (const { plural, group, version } of ownKinds) {
    const name = `${plural}.${group}`;
    const key = { kind: clusterKinds.definition, namespace: '', name };
    const raw = await readRaw(kube, key, signal);
    if (raw === undefined) {
      problems.push(`${name} is not installed`);
      continue;
    }
    const parsed = parseWith(definitionSchema, raw);
    const served =
      parsed.ok &&
      parsed.value.spec.versions.some((each) => each.name === version && each.served) &&
      parsed.value.status.conditions.some(
        ({ type, status }) => type === 'Established' && status === 'True',
      );
    if (!served) problems.push(`${name} is not served in ${version}`);
  }
  return problems.length === 0
    ? ok(`${ownKinds.length} installed and served`)
    : failed(`${problems.join(', ')}: kubectl apply -k deploy`);
}

async function checkPolicies(kube: Kube, signal: AbortSignal) {
  const missing: string[] = [];
  for (const name of policyNames) {
    for (const kind of [clusterKinds.policy, clusterKinds.policyBinding]) {
      const raw = await readRaw(kube, { kind, namespace: '', name }, signal);
      if (raw === undefined) missing.push(`${kind.kind} ${name}`);
    }
  }
  return missing.length === 0
    ? ok(`${policyNames.length} present and bound`)
    : failed(`missing: ${missing.join(', ')}`);
}

const webhooksSchema = z.object({
  webhooks: z
    .array(
      z.looseObject({
        name: z.string(),
        clientConfig: z.looseObject({ caBundle: z.string().optional() }),
      }),
    )
    .default([]),
});

/** The one that shapes annotated pods may be left out of an installation. */
async function checkWebhook(kube: Kube, signal: AbortSignal): Promise<Omit<Check, 'check'>> {
  const { items } = await kube.list({ kind: clusterKinds.mutatingWebhook, limit: 500 }, signal);
  const own = items.filter((item) => String(recordAt(item, 'metadata').name).startsWith('cryopod'));
  if (own.length === 0) {
    return {
      outcome: 'skipped',
      message: 'not installed: pods that are annotated must be placeholders already',
    };
  }
  const bare = own.flatMap((item) => {
    const parsed = parseWith(webhooksSchema, item);
    const hooks = parsed.ok ? parsed.value.webhooks : [];
    return hooks.filter(({ clientConfig }) => !clientConfig.caBundle).map(({ name }) => name);
  });
  return bare.length === 0
    ? ok('installed, with a certificate that the API server trusts')
    : failed(`${bare.join(', ')} has no caBundle yet: is the controller running?`);
}
