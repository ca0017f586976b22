import { describe, expect, it } from 'vitest';
import { rolloutLeft } from '../../bed/rollout.ts';

const deployment = (status: object) => ({
  kind: 'Deployment',
  metadata: { name: 'controller', generation: 2 },
  spec: { replicas: 1 },
  status,
});
const daemonSet = (status: object) => ({
  kind: 'DaemonSet',
  metadata: { name: 'agent', generation: 1 },
  spec: {},
  status,
});
const left = (item: object): readonly string[] => rolloutLeft(JSON.stringify({ items: [item] }), 2);

describe('what is left of a roll-out', () => {
  const deployed = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  const covered = {
    observedGeneration: 1,
    desiredNumberScheduled: 2,
    updatedNumberScheduled: 2,
    numberAvailable: 2,
  };
  it.each([
    ['a Deployment that runs', deployment(deployed), []],
    ['a DaemonSet on every node', daemonSet(covered), []],
    [
      'a Deployment whose change was not seen',
      deployment({ ...deployed, observedGeneration: 1 }),
      ['Deployment controller: not seen by its controller yet'],
    ],
    [
      'an old pod beside the new one',
      deployment({ ...deployed, replicas: 2 }),
      ['Deployment controller: 1 old ones left'],
    ],
    [
      'a Deployment not available yet',
      deployment({ ...deployed, availableReplicas: 0 }),
      ['Deployment controller: 0/1 available'],
    ],
    [
      'a DaemonSet that was only just made',
      daemonSet({}),
      ['DaemonSet agent: not seen by its controller yet'],
    ],
    [
      'a DaemonSet with old pods',
      daemonSet({ ...covered, updatedNumberScheduled: 1 }),
      ['DaemonSet agent: 1/2 updated'],
    ],
    [
      'a DaemonSet with one pod down',
      daemonSet({ ...covered, numberAvailable: 1 }),
      ['DaemonSet agent: 1/2 available'],
    ],
  ])('%s', (_name, item, expected) => {
    expect(left(item)).toEqual(expected);
  });
});
