import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  decide,
  type Observed,
  phaseOf,
  timing,
} from '../../../../controller/webhook/certificates/decide.ts';
import { issueAuthority, issueServer } from '../../../../controller/webhook/certificates/issue.ts';
import { serverTerm, view } from '../../../../controller/webhook/certificates/secret.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);
const term = (fromDays: number, untilDays: number) => ({
  from: now + fromDays * day,
  until: now + untilDays * day,
});
const server = (fromDays: number, untilDays: number, authority: number) => ({
  ...term(fromDays, untilDays),
  authority,
});
const fresh = term(-10, 355);
const observed = (change: Partial<Observed> = {}): Observed => ({
  ...{ now, authorities: [fresh], canSign: true, trustedForMilliseconds: day },
  ...{ server: server(-10, 80, 0) },
  ...change,
});

describe('the certificates of the webhook', () => {
  it.each([
    ['are left alone while they are fresh', {}, 'Kept', undefined],
    ['are made when there are none', { authorities: [], server: undefined }, 'Unusable', 'begin'],
    [
      'are made anew when the one in use has expired',
      { server: server(-100, -1, 0) },
      'Unusable',
      'begin',
    ],
    [
      'are made anew when its authority has expired',
      { authorities: [term(-366, -1)] },
      'Unusable',
      'begin',
    ],
    [
      'are made anew when they are of the future',
      { authorities: [term(1, 366)] },
      'Unusable',
      'begin',
    ],
    [
      'become trusted before anything else happens',
      { trustedForMilliseconds: undefined, canSign: false },
      'Untrusted',
      'publishAuthorities',
    ],
    [
      'get a second authority long before the first expires',
      { authorities: [term(-250, 115)] },
      'AuthorityAging',
      'addAuthority',
    ],
    [
      'get a second authority when the key of the first is lost',
      { canSign: false },
      'AuthorityAging',
      'addAuthority',
    ],
    [
      'wait until API servers have heard of the second',
      { authorities: [term(-250, 115), fresh], trustedForMilliseconds: 29_999 },
      'Settling',
      undefined,
    ],
    [
      'are then signed by the second',
      { authorities: [term(-250, 115), fresh], trustedForMilliseconds: 30_000 },
      'ServerAging',
      'issueServer',
    ],
    [
      'are renewed when a third of their life is left',
      { server: server(-61, 29, 0) },
      'ServerAging',
      'issueServer',
    ],
    [
      'keep the first authority while somebody may still serve what it signed',
      { authorities: [term(-250, 115), fresh], server: server(-0.5, 89, 1) },
      'Kept',
      undefined,
    ],
    [
      'drop it after that',
      { authorities: [term(-250, 115), fresh], server: server(-1.1, 89, 1) },
      'Superseded',
      'dropAuthorities',
    ],
  ] as const)('%s', (_, change, phase, action) => {
    const o = observed(change);
    expect(phaseOf(o)).toBe(phase);
    expect(decide(o).action?.do).toBe(action);
  });

  it('are looked at again when API servers have heard, and once a minute', () => {
    const settling = observed({ authorities: [fresh, fresh], trustedForMilliseconds: 10_000 });
    expect(decide(settling).againAfterMilliseconds).toBe(20_000);
    expect(decide(observed()).againAfterMilliseconds).toBe(timing.lookMilliseconds);
  });
});

describe('a certificate that was issued', () => {
  const names = ['cryopod-webhook.cryopod-system.svc'];
  const validity = { from: now, until: now + day };

  it('is of its authority, for its names, and no authority itself', async () => {
    const authority = await issueAuthority('Tests', validity);
    const issued = await issueServer(authority, names, validity);
    const [root, leaf] = [
      new X509Certificate(authority.certificate),
      new X509Certificate(issued.certificate),
    ];
    expect(root.ca).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkHost(names[0] ?? '')).toBe(names[0]);
    expect(leaf.checkHost('elsewhere.svc')).toBeUndefined();
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(serverTerm(issued, names)).toEqual(validity);
  });

  it('is told from others when it is read again', async () => {
    const first = await issueAuthority('Tests', validity);
    const second = await issueAuthority('Tests', validity);
    const issued = await issueServer(second, names, validity);
    const authorities = [first.certificate, second.certificate];
    const held = { authorities, authorityKey: second.key, server: issued };
    expect(view(held, names)).toMatchObject({ canSign: true, server: { authority: 1 } });
    expect(view({ ...held, authorityKey: first.key }, names).canSign).toBe(false);
    expect(view({ ...held, authorities: [first.certificate] }, names).server).toBeUndefined();
    expect(view({ ...held, server: { ...issued, key: first.key } }, names).server).toBeUndefined();
    expect(
      view({ ...held, server: { ...issued, certificate: 'none' } }, names).server,
    ).toBeUndefined();
    expect(view(held, ['elsewhere.svc']).server).toBeUndefined();
    expect(
      view(
        {
          ...held,
          authorities: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
        },
        names,
      ).authorities,
    ).toEqual([]);
  });
});
