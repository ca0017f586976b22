import { podWebhook } from '../../core/api/names.ts';
import { sleep } from '../../core/clock.ts';
import type { Health } from '../../runtime/http-server.ts';
import { type AdmitDeps, admit } from './admit.ts';
import { type FollowDeps, followCertificates } from './certificates/follow.ts';
import { serverNames } from './certificates/keep.ts';
import { serveWebhook } from './server.ts';

/** What the webhook of a replica needs from the process. */
export type WebhookDeps = AdmitDeps & Omit<FollowDeps, 'names'>;

/** The webhook of one replica. */
export type RunningWebhook = {
  readonly port: number;
  readonly ready: () => Health;
  /** Serves on for a moment, because API servers go on calling until they have heard that it ends. */
  readonly close: () => Promise<void>;
};

/** The time in which the end of a pod becomes known to every API server. */
const farewellMilliseconds = 3_000;

/** Serves the webhook with the certificates in the Secret, whoever keeps them. Every replica does, not only who leads. */
export async function runWebhook(deps: WebhookDeps, port: number): Promise<RunningWebhook> {
  const ended = new AbortController();
  const server = await serveWebhook({
    port,
    path: podWebhook.path,
    answer: (body) => admit(deps, body, ended.signal),
  });
  let until = 0;
  const names = serverNames(deps.namespace);
  const following = followCertificates(
    { ...deps, names },
    (certificate, untilMilliseconds) => {
      server.useCertificate(certificate);
      until = untilMilliseconds;
    },
    ended.signal,
  );
  return {
    port: server.port,
    ready: () => readiness(until, deps.clock.wallMilliseconds()),
    close: async () => {
      await sleep(deps.clock, farewellMilliseconds, ended.signal);
      await server.close();
      ended.abort(new Error('the controller ends'));
      await following;
    },
  };
}

function readiness(until: number, now: number): Health {
  if (until === 0) return { ok: false, why: 'the webhook has no certificate yet' };
  return now < until
    ? { ok: true }
    : { ok: false, why: 'the certificate of the webhook has expired' };
}
