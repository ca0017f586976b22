import { expect, it } from 'vitest';
import { nextLeaseMove } from '../../../runtime/lease-move.ts';
import type { LeaseRecord } from '../../../runtime/lease-record.ts';
import { leaseRecord, microTime } from '../../../runtime/lease-record.ts';

const lease = (fields: Partial<LeaseRecord>): LeaseRecord => ({
  uid: 'u',
  resourceVersion: '7',
  holder: 'other',
  durationMilliseconds: 30_000,
  transitions: 4,
  ...fields,
});
const seen = { uid: 'u', version: '7', atMonotonicMilliseconds: 1000 };
const given = {
  me: 'me',
  seen,
  durationMilliseconds: 15_000,
  deadHolders: new Set<string>(),
};

it.each([
  ['creates what is not there', undefined, 0, { do: 'create' }],
  ['renews its own', lease({ holder: 'me' }), 99_000, { do: 'renew', transitions: 4 }],
  ['takes a released one', lease({ holder: '' }), 0, { do: 'take', transitions: 5 }],
  [
    'takes one that stood still for its duration',
    lease({}),
    31_000,
    { do: 'take', transitions: 5 },
  ],
  [
    'stands by until then',
    lease({}),
    30_999,
    { do: 'stand-by', heldBy: 'other', seen, againInMilliseconds: 1 },
  ],
  [
    'starts counting anew when it moved',
    lease({ resourceVersion: '8' }),
    31_000,
    {
      do: 'stand-by',
      heldBy: 'other',
      seen: { uid: 'u', version: '8', atMonotonicMilliseconds: 31_000 },
      againInMilliseconds: 30_000,
    },
  ],
  [
    'uses its own duration where the holder promised none',
    lease({ durationMilliseconds: 0 }),
    16_000,
    { do: 'take', transitions: 5 },
  ],
] as const)('%s', (_title, record, nowMonotonicMilliseconds, move) => {
  expect(nextLeaseMove({ ...given, lease: record, nowMonotonicMilliseconds })).toEqual(move);
});

it('takes the lease of a holder that is known to be dead at once', () => {
  const deadHolders = new Set(['other']);
  const move = nextLeaseMove({
    ...{ ...given, deadHolders },
    lease: lease({}),
    nowMonotonicMilliseconds: 0,
  });
  expect(move).toEqual({ do: 'take', transitions: 5 });
});

it('starts counting anew for a lease of the same name that is another object', () => {
  const move = nextLeaseMove({
    ...given,
    lease: lease({ uid: 'v' }),
    nowMonotonicMilliseconds: 31_000,
  });
  expect(move.do).toBe('stand-by');
});

it('writes times with six fractional digits, as the API server wants them', () => {
  expect(microTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).toBe('2026-01-02T03:04:05.006000Z');
});

it('reads an empty lease as held by nobody', () => {
  const record = leaseRecord({ metadata: { uid: 'u', resourceVersion: '1' }, spec: {} });
  expect(record).toMatchObject({ holder: '', transitions: 0, durationMilliseconds: 0 });
});
