import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { certificateKeeper } from '../../../../controller/webhook/certificates/keep.ts';
import { webhookMetrics } from '../../../../controller/webhook/metrics.ts';
import { runWebhook } from '../../../../controller/webhook/run.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { podWebhook } from '../../../../core/api/names.ts';
import { createLog } from '../../../../runtime/log.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';

const never = new AbortController().signal;
const namespace = 'cryopod-system';

it('a replica is ready with a certificate, until that expires, and serves for a moment after its end was asked for', async () => {
  const clock = new FakeClock();
  const kube = new MemoryKube(clock);
  const log = createLog({ name: 'test', level: 'silent' });
  const made = { dryRun: false };
  const metadata = { name: podWebhook.secret, namespace };
  await kube.create(kinds.secret, { metadata }, made, never);
  const webhooks = [{ name: podWebhook.name, clientConfig: {} }];
  const configuration = { metadata: { name: podWebhook.configuration }, webhooks };
  await kube.create(kinds.mutatingWebhookConfiguration, configuration, made, never);

  const registry = new Registry();
  const deps = { kube, clock, log, namespace, initImage: 'init:1' };
  const webhook = await runWebhook({ ...deps, metrics: webhookMetrics(registry) }, 0);
  expect(webhook.ready()).toEqual({ ok: false, why: 'the webhook has no certificate yet' });
  await certificateKeeper(deps).step(never);
  await clock.advance(2_000);
  expect(webhook.ready()).toEqual({ ok: true });
  expect(await registry.metrics()).toMatch(/expiry_timestamp_seconds{certificate="server"} \d/);

  let closed = false;
  const closing = webhook.close().then(() => {
    closed = true;
  });
  await clock.advance(2_900);
  expect(closed).toBe(false);
  await clock.advance(100);
  await closing;

  clock.jumpWall(100 * 86_400_000);
  expect(webhook.ready()).toMatchObject({ ok: false, why: expect.stringContaining('expired') });
});
