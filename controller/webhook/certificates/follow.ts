import { kinds } from '../../../core/api/kinds.ts';
import { podWebhook } from '../../../core/api/names.ts';
import { type Clock, sleep } from '../../../core/clock.ts';
import { errorText } from '../../../core/failure.ts';
import type { Kube } from '../../../runtime/kube-port.ts';
import type { Log } from '../../../runtime/log.ts';
import type { WebhookMetrics } from '../metrics.ts';
import type { KeyPair } from './issue.ts';
import { heldIn, serverTerm, view } from './secret.ts';

/** What following the certificates needs from the process. */
export type FollowDeps = {
  readonly kube: Pick<Kube, 'get'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<WebhookMetrics, 'expires'>;
  readonly namespace: string;
  /** Names under which API servers call. */
  readonly names: readonly string[];
};

/** Until there is a certificate, and from then on. */
const pauses = { waitingMilliseconds: 1_000, servingMilliseconds: 10_000 } as const;

/**
 * Reads the Secret again and again and hands over a server certificate that has changed; one that cannot be used is logged and the one before stays.
 * Every replica does. Resolves when the signal aborts; never throws.
 */
export async function followCertificates(
  deps: FollowDeps,
  use: (server: KeyPair, untilMilliseconds: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { clock, kube, log, metrics, names, namespace } = deps;
  const key = { kind: kinds.secret, namespace, name: podWebhook.secret };
  let current: KeyPair | undefined;
  let told = '';
  const look = async (): Promise<string> => {
    const held = heldIn(await kube.get(key, signal));
    const { server } = held;
    if (server.certificate === '') return 'no certificate yet';
    const term = serverTerm(server, names);
    if (term === undefined) return 'the certificate cannot be used';
    metrics.expires('server', term.until);
    const authority = view(held, names).authorities.at(-1);
    if (authority !== undefined) metrics.expires('authority', authority.until);
    if (current?.certificate === server.certificate && current.key === server.key) return '';
    current = server;
    use(server, term.until);
    log.info({ until: new Date(term.until).toISOString() }, 'the webhook has a new certificate');
    return '';
  };
  while (!signal.aborted) {
    const trouble = await look().catch(errorText);
    if (trouble !== '' && trouble !== told && !signal.aborted) {
      log.warn({ error: trouble }, 'the certificate of the webhook stays as it is');
    }
    told = trouble;
    const pause = current === undefined ? pauses.waitingMilliseconds : pauses.servingMilliseconds;
    // Rejects only when the signal aborts, which ends the loop.
    await sleep(clock, pause, signal).catch(() => {});
  }
}
