import { kinds } from '../../../core/api/kinds.ts';
import { podWebhook } from '../../../core/api/names.ts';
import { type Clock, sleep } from '../../../core/clock.ts';
import { errorText, Failure, isFailure } from '../../../core/failure.ts';
import {
  type Kube,
  type RawObject,
  type ServerClock,
  serverNow,
} from '../../../runtime/kube-port.ts';
import type { Log } from '../../../runtime/log.ts';
import { identityOf, isRecord, recordAt, textAt } from '../../../runtime/raw-object.ts';
import { patchObject } from '../../../runtime/status-patch.ts';
import { type Action, type Decision, decide, timing } from './decide.ts';
import { issueAuthority, issueServer, type KeyPair, type Validity } from './issue.ts';
import { bundleOf, dataOf, type Held, heldIn, view } from './secret.ts';

/** What keeping certificates needs from the process. */
export type KeepDeps = {
  readonly kube: Kube & ServerClock;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the Secret and the Service are. */
  readonly namespace: string;
};

/** Names under which API servers call the webhook. */
export const serverNames = (namespace: string): readonly string[] => [
  `${podWebhook.service}.${namespace}.svc`,
];

/** After a failure, or a write that met another one. */
const againMilliseconds = 2_000;

const configurationKey = {
  kind: kinds.mutatingWebhookConfiguration,
  namespace: '',
  name: podWebhook.configuration,
};

/**
 * Keeps authority and server certificate of the webhook fresh, in a Secret that every replica serves from, and the webhook configuration told whom to
 * trust. Only who leads does. Every write names the version that it was decided on. Resolves when the signal aborts; never throws.
 */
export async function keepCertificates(deps: KeepDeps, signal: AbortSignal): Promise<void> {
  const keeper = certificateKeeper(deps);
  let told = '';
  while (!signal.aborted) {
    let pause = againMilliseconds;
    try {
      pause = await keeper.step(signal);
      told = '';
    } catch (error) {
      const text = errorText(error);
      // Once, not every two seconds of an outage.
      if (!signal.aborted && text !== told && !isFailure(error, 'conflict')) {
        deps.log.warn({ error: text }, 'the certificates of the webhook were not looked after');
        told = text;
      }
    }
    // Rejects only when the signal aborts, which ends the loop.
    await sleep(deps.clock, pause, signal).catch(() => {});
  }
}

/** One look and one step a call; resolves to the milliseconds until the next is due. */
export function certificateKeeper(deps: KeepDeps): {
  readonly step: (signal: AbortSignal) => Promise<number>;
} {
  const { clock, kube, log, namespace } = deps;
  const secretKey = { kind: kinds.secret, namespace, name: podWebhook.secret };
  const names = serverNames(namespace);
  let trusted: { readonly bundle: string; readonly sinceMonotonic: number } | undefined;

  const trustedFor = (bundle: string, told: string): number | undefined => {
    const now = clock.monotonicMilliseconds();
    if (told !== bundle) trusted = undefined;
    else if (trusted?.bundle !== bundle) trusted = { bundle, sinceMonotonic: now };
    return trusted === undefined ? undefined : now - trusted.sinceMonotonic;
  };

  const step = async (signal: AbortSignal): Promise<number> => {
    const secret = await kube.get(secretKey, signal);
    const configuration = await kube.get(configurationKey, signal);
    const held = heldIn(secret);
    const now = serverNow(kube, clock.monotonicMilliseconds()) ?? clock.wallMilliseconds();
    const trustedForMilliseconds = trustedFor(bundleOf(held), bundleTold(configuration));
    const { action, againAfterMilliseconds }: Decision = decide({
      ...view(held, names),
      ...{ now, trustedForMilliseconds },
    });
    if (action === undefined) return againAfterMilliseconds;
    if (action.do === 'publishAuthorities') await publish(kube, configuration, held, signal);
    else {
      const data = dataOf(await changed(action, held, now, names));
      await patchObject(kube, secretKey, identityOf(secret), { data }, signal);
    }
    log.info({ step: action.do }, 'the certificates of the webhook moved on');
    return againAfterMilliseconds;
  };
  return { step };
}

/** What the Secret holds after a step. */
async function changed(
  action: Exclude<Action, { do: 'publishAuthorities' }>,
  held: Held,
  now: number,
  names: readonly string[],
): Promise<Held> {
  const lasting = (milliseconds: number): Validity => {
    const from = now - timing.backdatedMilliseconds;
    return { from, until: from + milliseconds };
  };
  const newAuthority = (): Promise<KeyPair> => {
    const name = `Cryopod webhook ${new Date(now).toISOString().slice(0, 19)}Z`;
    return issueAuthority(name, lasting(timing.authorityMilliseconds));
  };
  const signedBy = (authority: KeyPair): Promise<KeyPair> =>
    issueServer(authority, names, lasting(timing.serverMilliseconds));
  if (action.do === 'dropAuthorities') return { ...held, authorities: held.authorities.slice(-1) };
  if (action.do === 'issueServer') {
    const certificate = held.authorities.at(-1) ?? '';
    return { ...held, server: await signedBy({ certificate, key: held.authorityKey }) };
  }
  const authority = await newAuthority();
  const { certificate, key } = authority;
  return action.do === 'begin'
    ? { authorities: [certificate], authorityKey: key, server: await signedBy(authority) }
    : { ...held, authorities: [...held.authorities, certificate], authorityKey: key };
}

const webhooksOf = (configuration: RawObject): readonly RawObject[] =>
  Array.isArray(configuration.webhooks) ? configuration.webhooks.filter(isRecord) : [];

function bundleTold(configuration: RawObject): string {
  const webhook = webhooksOf(configuration).find((one) => textAt(one, 'name') === podWebhook.name);
  const bundle = textAt(recordAt(webhook ?? {}, 'clientConfig'), 'caBundle');
  return Buffer.from(bundle, 'base64').toString();
}

/** Tells API servers whom to trust: one field of one webhook, by index, on exactly the version that was read. */
async function publish(
  kube: Kube,
  configuration: RawObject,
  held: Held,
  signal: AbortSignal,
): Promise<void> {
  const index = webhooksOf(configuration).findIndex(
    (one) => textAt(one, 'name') === podWebhook.name,
  );
  if (index < 0) {
    const message = `${podWebhook.configuration} has no webhook ${podWebhook.name}`;
    throw new Failure('retry', 'NoWebhook', message);
  }
  const { resourceVersion } = identityOf(configuration);
  const caBundle = Buffer.from(bundleOf(held)).toString('base64');
  const body = [
    { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
  ];
  await kube.patch(configurationKey, '', { type: 'json', body }, signal);
}
