import { X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { followCertificates } from '../../../../controller/webhook/certificates/follow.ts';
import {
  certificateKeeper,
  keepCertificates,
  serverNames,
} from '../../../../controller/webhook/certificates/keep.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { Failure } from '../../../../core/failure.ts';
import { createLog } from '../../../../runtime/log.ts';
import { recordAt, textAt } from '../../../../runtime/raw-object.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';

const day = 86_400_000;
const never = new AbortController().signal;
const namespace = 'cryopod-system';
const names = serverNames(namespace);
const log = createLog({ name: 'test', level: 'silent' });
const secretKey = { kind: kinds.secret, namespace, name: 'cryopod-webhook-certificates' };
const configurationKey = {
  kind: kinds.mutatingWebhookConfiguration,
  namespace: '',
  name: 'cryopod-pods',
};

let clock: FakeClock;
let kube: MemoryKube;

beforeEach(async () => {
  clock = new FakeClock();
  kube = new MemoryKube(clock);
  const { name } = secretKey;
  await kube.create(kinds.secret, { metadata: { name, namespace } }, { dryRun: false }, never);
  const webhooks = [
    { name: 'other.example.test', clientConfig: {} },
    { name: 'pods.cryopod.dev', clientConfig: { service: { name: 'cryopod-webhook' } } },
  ];
  const metadata = { name: configurationKey.name };
  await kube.create(
    kinds.mutatingWebhookConfiguration,
    { metadata, webhooks },
    { dryRun: false },
    never,
  );
});

const webhooks = (): readonly unknown[] => [kube.peek(configurationKey)?.webhooks].flat();
function trusted(): readonly X509Certificate[] {
  const webhook = webhooks()[1] as { clientConfig: { caBundle?: string } };
  const bundle = Buffer.from(webhook.clientConfig.caBundle ?? '', 'base64').toString();
  const found = bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];
  return found.map((text) => new X509Certificate(text));
}
const inSecret = (field: string): string =>
  Buffer.from(textAt(recordAt(kube.peek(secretKey) ?? {}, 'data'), field), 'base64').toString();

/** What a TLS client of the API server would find. */
function isAccepted(certificate: string, authorities: readonly X509Certificate[]): boolean {
  const now = clock.wallMilliseconds();
  const valid = (one: X509Certificate): boolean =>
    one.validFromDate.getTime() <= now && now < one.validToDate.getTime();
  const leaf = new X509Certificate(certificate);
  const signers = authorities.filter((one) => leaf.checkIssued(one) && leaf.verify(one.publicKey));
  return valid(leaf) && signers.some(valid);
}

async function untilQuiet(step: (signal: AbortSignal) => Promise<number>): Promise<number> {
  for (let steps = 0; steps < 10; steps += 1) {
    const pause = await step(never);
    if (pause > 0) return pause;
  }
  throw new Error('it never comes to rest');
}

describe('keeping certificates', () => {
  it('makes them, tells the API server of them in the one webhook, and then rests', async () => {
    await untilQuiet(certificateKeeper({ kube, clock, log, namespace }).step);
    expect(isAccepted(inSecret('tls.crt'), trusted())).toBe(true);
    expect(webhooks()[0]).toEqual({ name: 'other.example.test', clientConfig: {} });
    expect(webhooks()[1]).toMatchObject({ clientConfig: { service: { name: 'cryopod-webhook' } } });
    const writes = kube.writes.length;
    await untilQuiet(certificateKeeper({ kube, clock, log, namespace }).step);
    expect(kube.writes).toHaveLength(writes);
  });

  it('for two years never leaves a moment in which a call would fail, whoever has read what', async () => {
    const keeper = certificateKeeper({ kube, clock, log, namespace });
    await untilQuiet(keeper.step);
    const end = clock.monotonicMilliseconds() + 2 * 365 * day;
    const authorities = new Set<string>();
    const servers = new Set<string>();
    // What replicas and API servers may still go by: everything that stood there within the last 30 seconds.
    let recent = { served: [inSecret('tls.crt')], trusted: [trusted()] };
    while (clock.monotonicMilliseconds() < end) {
      const pause = await keeper.step(never);
      const [served, bundle] = [inSecret('tls.crt'), trusted()];
      recent = { served: [...recent.served, served], trusted: [...recent.trusted, bundle] };
      for (const one of recent.served) {
        for (const by of recent.trusted) expect(isAccepted(one, by)).toBe(true);
      }
      servers.add(served);
      for (const one of bundle) authorities.add(one.fingerprint256);
      expect(bundle.length).toBeLessThanOrEqual(2);
      // A look a minute would be a million of them: a day stands for each one that finds nothing to do.
      const wait = pause === 60_000 ? day : pause;
      if (wait >= 30_000) recent = { served: [served], trusted: [bundle] };
      await clock.advance(wait);
    }
    expect(authorities.size).toBeGreaterThanOrEqual(3);
    expect(servers.size).toBeGreaterThanOrEqual(12);
  });

  it('of two that lead for a moment lets one write, and the other see it', async () => {
    const first = certificateKeeper({ kube, clock, log, namespace });
    const second = certificateKeeper({ kube, clock, log, namespace });
    const ended = await Promise.allSettled([first.step(never), second.step(never)]);
    expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await untilQuiet(second.step);
    expect(isAccepted(inSecret('tls.crt'), trusted())).toBe(true);
  });

  it('goes on after an outage, and after a write whose answer was lost', async () => {
    let calls = 0;
    const trouble = (): never => {
      throw new Failure('retry', 'ServerError', 'in trouble');
    };
    kube.before = () => {
      calls += 1;
      if (calls <= 3) trouble();
    };
    let lost = false;
    kube.after = ({ verb }) => {
      if (verb !== 'patch' || lost) return;
      lost = true;
      trouble();
    };
    const stop = new AbortController();
    const keeping = keepCertificates({ kube, clock, log, namespace }, stop.signal);
    await vi.waitFor(async () => {
      await clock.advance(1_000);
      expect(trusted()).toHaveLength(1);
    });
    stop.abort(new Error('over'));
    await keeping;
    expect(lost).toBe(true);
    expect(isAccepted(inSecret('tls.crt'), trusted())).toBe(true);
  });

  it('replaces what somebody has broken', async () => {
    const { step } = certificateKeeper({ kube, clock, log, namespace });
    await untilQuiet(step);
    await kube.patch(
      secretKey,
      '',
      { type: 'merge', body: { data: { 'tls.key': 'AAAA' } } },
      never,
    );
    await untilQuiet(step);
    const path = '/webhooks/1/clientConfig/caBundle';
    await kube.patch(configurationKey, '', { type: 'json', body: [{ op: 'remove', path }] }, never);
    await untilQuiet(step);
    expect(isAccepted(inSecret('tls.crt'), trusted())).toBe(true);
  });
});

describe('a replica', () => {
  it('serves the certificate that is there, and the next within ten seconds of it', async () => {
    const used: string[] = [];
    const expiries = new Map<string, number>();
    const metrics = { expires: (which: string, at: number) => void expiries.set(which, at) };
    const stop = new AbortController();
    const use = ({ certificate }: { readonly certificate: string }) => void used.push(certificate);
    const following = followCertificates(
      { kube, clock, log, metrics, namespace, names },
      use,
      stop.signal,
    );
    await clock.advance(5_000);
    expect(used).toEqual([]);
    const { step } = certificateKeeper({ kube, clock, log, namespace });
    await untilQuiet(step);
    await clock.advance(1_000);
    expect(used).toEqual([inSecret('tls.crt')]);
    const broken = { data: { 'tls.key': 'AAAA' } };
    await kube.patch(secretKey, '', { type: 'merge', body: broken }, never);
    await clock.advance(10_000);
    expect(used).toHaveLength(1);
    await untilQuiet(step);
    await clock.advance(10_000);
    expect(used).toEqual([used[0], inSecret('tls.crt')]);
    const { validToDate } = new X509Certificate(used[1] ?? '');
    expect(expiries.get('server')).toBe(validToDate.getTime());
    expect(expiries.get('authority')).toBeGreaterThan(validToDate.getTime());
    stop.abort(new Error('over'));
    await clock.advance(0);
    await following;
  });
});
