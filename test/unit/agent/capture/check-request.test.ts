import { expect, test } from 'vitest';
import { checkRequest } from '../../../../agent/capture/check-request.ts';
import { parsePodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';

function blockersOf(change: object): readonly string[] {
  const parsed = parsePodSnapshotContent({
    metadata: { name: 'c', uid: 'u' },
    spec: {
      snapshotRef: { namespace: 'n', name: 's' },
      source: { podRef: { name: 'p', uid: 'u', containers: ['main'] }, nodeName: 'node' },
      ...change,
    },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return checkRequest(parsed.value.spec).map(({ check }) => check);
}

const two = { podRef: { name: 'p', uid: 'u', containers: ['a', 'b'] }, nodeName: 'n' };

test.each([{}, { freezeBudgetSeconds: 5 }, { source: two }])(
  'a plain order is served: %j',
  (change) => {
    expect(blockersOf(change)).toEqual([]);
  },
);

test.each([
  ['containers', { source: { artifact: { store: 's', digest: `sha256:${'a'.repeat(64)}` } } }],
  ['afterCapture', { afterCapture: 'Terminate' }],
  ['tcp', { tcp: 'Established' }],
  ['tcp', { tcp: 'Refuse' }],
])('%s is refused: %j', (check, change) => {
  expect(blockersOf(change)).toEqual([check]);
});

test('all reasons come together', () => {
  expect(blockersOf({ afterCapture: 'Terminate', tcp: 'Refuse' })).toEqual(['afterCapture', 'tcp']);
});
