import { describe, expect, it } from 'vitest';
import { parsePodRestore } from '../../../../core/api/pod-restore.ts';
import {
  coldProblem,
  type NewPod,
  podFromTemplate,
} from '../../../../core/restore/pod-from-template.ts';

const overridesOf = (overrides: object = {}): NewPod['overrides'] => {
  const parsed = parsePodRestore({
    metadata: { name: 'x' },
    spec: { snapshotName: 'x', overrides },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value.spec.overrides;
};
const wanted = (overrides: object = {}, more: Partial<NewPod> = {}): NewPod => ({
  ...{ name: 'again', namespace: 'default' },
  labels: { 'nvidia.com/restore-uid': 'restore-1' },
  annotations: { 'nvidia.com/restore-name': 'again' },
  nodeSelector: {},
  overrides: overridesOf(overrides),
  captured: ['main'],
  ...more,
});
const template = {
  metadata: {
    labels: {
      app: 'web',
      'pod-template-hash': 'abc',
      'batch.kubernetes.io/job-name': 'job',
      'nvidia.com/snapshot-is-checkpoint-source': 'true',
      'nvidia.com/dynamo-component': 'worker',
    },
    annotations: { team: 'a', 'nvidia.com/restore-from': 'older' },
  },
  spec: {
    serviceAccountName: 'web',
    priorityClassName: 'high',
    priority: 1000,
    nodeSelector: { zone: 'a', disk: 'fast' },
    ephemeralContainers: [{ name: 'debug' }],
    initContainers: [{ name: 'prepare' }],
    containers: [
      {
        name: 'main',
        image: 'web:1',
        env: [{ name: 'MODE', value: 'x' }],
        resources: { requests: { memory: '1Gi' }, limits: { memory: '2Gi' } },
      },
      { name: 'sidecar', image: 'proxy:1', env: [{ name: 'LEVEL', value: 'info' }] },
    ],
  },
};
const podOf = (one: NewPod, from: unknown = template) => {
  const { pod, problems } = podFromTemplate(from, one);
  if (pod === undefined) throw new Error(problems.join('; '));
  return pod;
};
const problemsOf = (overrides: object) => podFromTemplate(template, wanted(overrides)).problems;

describe('the pod of a captured template', () => {
  it('has its containers, account and class, under a new name', () => {
    const pod = podOf(wanted());
    expect(pod.metadata).toMatchObject({ name: 'again', namespace: 'default' });
    expect(pod.spec).toMatchObject({ serviceAccountName: 'web', priorityClassName: 'high' });
    expect(pod.spec.containers).toEqual(template.spec.containers);
    expect(pod.spec.initContainers).toEqual(template.spec.initContainers);
  });

  it('has nothing that ties it to its node, to a controller or to a capture', () => {
    const { metadata, spec } = podOf(wanted());
    expect(metadata.labels).toEqual({
      app: 'web',
      'nvidia.com/dynamo-component': 'worker',
      'nvidia.com/restore-uid': 'restore-1',
    });
    expect(metadata.annotations).toEqual({ team: 'a', 'nvidia.com/restore-name': 'again' });
    for (const field of ['nodeName', 'priority', 'ephemeralContainers']) {
      expect(spec).not.toHaveProperty(field);
    }
  });

  it('asks for the labels of a node that are asked for, beside its own', () => {
    const pod = podOf(wanted({}, { nodeSelector: { zone: 'b', gpu: 'yes' } }));
    expect(pod.spec.nodeSelector).toEqual({ zone: 'b', disk: 'fast', gpu: 'yes' });
  });

  it('takes overrides of labels, annotations, other containers’ variables and larger resources', () => {
    const pod = podOf(
      wanted({
        labels: { app: 'other' },
        annotations: { why: 'moved' },
        env: [{ container: 'sidecar', name: 'LEVEL', value: 'debug' }],
        resources: [{ container: 'main', requests: { cpu: '1' }, limits: { memory: '4Gi' } }],
      }),
    );
    expect(pod.metadata.labels).toMatchObject({ app: 'other' });
    expect(pod.metadata.annotations).toMatchObject({ team: 'a', why: 'moved' });
    const [main, sidecar] = pod.spec.containers;
    expect(main?.resources).toEqual({
      requests: { memory: '1Gi', cpu: '1' },
      limits: { memory: '4Gi' },
    });
    expect(sidecar?.env).toEqual([{ name: 'LEVEL', value: 'debug' }]);
  });

  it.each([
    [
      'less memory',
      { resources: [{ container: 'main', limits: { memory: '2047Mi' } }] },
      'container main asks for limits.memory 2047Mi, less than the captured 2Gi',
    ],
    [
      'a limit where there was none',
      { resources: [{ container: 'main', limits: { cpu: '8' } }] },
      'container main asks for limits.cpu 8, but was captured without a limit',
    ],
    [
      'another environment of a captured process',
      { env: [{ container: 'main', name: 'MODE', value: 'y' }] },
      'a restored process keeps the environment that it had',
    ],
    [
      'a container that is not there',
      { env: [{ container: 'other', name: 'MODE', value: 'y' }] },
      'container other, which the captured pod has not; it has: main, sidecar',
    ],
  ])('refuses %s in words', (_name, overrides, words) => {
    expect(problemsOf(overrides)?.join('; ')).toContain(words);
  });

  it('is none where what was kept is no template', () => {
    expect(podFromTemplate({ spec: {} }, wanted()).problems).toHaveLength(1);
  });

  it('can start cold unless it was itself restored', () => {
    expect(coldProblem(template)).toBeUndefined();
    const containers = [{ name: 'main', command: ['/snapshot-control/init'] }];
    expect(coldProblem({ spec: { containers } })).toContain('container main was itself restored');
  });
});
