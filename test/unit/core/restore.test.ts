import { expect, it } from 'vitest';
import { placeholderProblems } from '../../../core/api/restore.ts';
import { type Pod, podSchema } from '../../../core/api/workload.ts';

const mount = { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' };
const spec = {
  readinessGates: [{ conditionType: 'nvidia.com/Restored' }],
  volumes: [{ name: 'snapshot-control', emptyDir: {} }],
  containers: [{ name: 'main', command: ['/snapshot-control/init'], volumeMounts: [mount] }],
};
const podOf = (change: object): Pod =>
  podSchema.parse({
    metadata: {
      name: 'p',
      namespace: 'n',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { ...spec, ...change },
  });
const container = { name: 'main', command: ['/snapshot-control/init'], volumeMounts: [mount] };

it('a pod with gate, control volume and init is a placeholder', () => {
  expect(placeholderProblems(podOf({}), ['main'])).toEqual([]);
});

it.each([
  ['the readiness gate', { readinessGates: [] }, /readinessGates lacks nvidia.com\/Restored/],
  ['the control volume', { volumes: [] }, /no emptyDir snapshot-control/],
  [
    'an emptyDir for it',
    { volumes: [{ name: 'snapshot-control', hostPath: { path: '/' } }] },
    /no emptyDir/,
  ],
  [
    'the container',
    { containers: [{ ...container, name: 'other' }] },
    /no container main, which the snapshot holds/,
  ],
  [
    'the init',
    { containers: [{ ...container, command: ['/bin/sh'] }] },
    /does not run \/snapshot-control\/init/,
  ],
  [
    'a command alone',
    { containers: [{ ...container, args: ['probe'] }] },
    /does not run \/snapshot-control\/init/,
  ],
  [
    'the mount',
    { containers: [{ ...container, volumeMounts: [] }] },
    /does not mount snapshot-control/,
  ],
  [
    'its own subPath',
    { containers: [{ ...container, volumeMounts: [{ ...mount, subPath: 'x' }] }] },
    /with subPath main/,
  ],
])('one that lacks %s is none', (_, change, said) => {
  expect(placeholderProblems(podOf(change), ['main']).join('; ')).toMatch(said);
});

it('everything that is missing is told at once', () => {
  expect(placeholderProblems(podOf({ readinessGates: [], volumes: [] }), ['main'])).toHaveLength(2);
});
