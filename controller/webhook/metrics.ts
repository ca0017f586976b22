import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Verdict } from './decide.ts';

/** What the webhook counts. */
export type WebhookMetrics = {
  readonly answered: (outcome: Verdict['outcome'] | 'invalid', seconds: number) => void;
  /** When a certificate expires, in milliseconds since the epoch. */
  readonly expires: (certificate: 'server' | 'authority', atMilliseconds: number) => void;
};

const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3];

/** Makes the metrics; once a process. */
export function webhookMetrics(registry: Registry): WebhookMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'cryopod_webhook_requests_total',
    help: 'Pods that the API server asked about, by what became of them.',
    labelNames: ['outcome'],
    registers,
  });
  const took = new Histogram({
    name: 'cryopod_webhook_seconds',
    help: 'Time to answer the API server about a pod.',
    buckets: secondsBuckets,
    registers,
  });
  const expiry = new Gauge({
    name: 'cryopod_webhook_certificate_expiry_timestamp_seconds',
    help: 'When a certificate of the webhook expires.',
    labelNames: ['certificate'],
    registers,
  });
  return {
    answered: (outcome, seconds) => {
      requests.inc({ outcome });
      took.observe(seconds);
    },
    expires: (certificate, atMilliseconds) => expiry.set({ certificate }, atMilliseconds / 1000),
  };
}
