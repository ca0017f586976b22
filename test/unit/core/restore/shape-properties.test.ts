import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeholderProblems } from '../../../../core/api/restore.ts';
import { podSchema } from '../../../../core/api/workload.ts';
import { shapePlaceholder } from '../../../../core/restore/shape-placeholder.ts';

const facts = { snapshotName: 'saved', initImage: 'example.test/init:1' };
const restore = { 'nvidia.com/restore-from': 'saved' };

/** A key as the API server takes it. */
const key = fc.stringMatching(/^[A-Za-z0-9]([-._A-Za-z0-9]{0,8}[A-Za-z0-9])?$/);
const name = fc.constantFrom('main', 'second', 'third');
const exec = fc.record({ exec: fc.record({ command: fc.array(fc.string(), { maxLength: 2 }) }) });
const mount = fc.record(
  {
    name: fc.constantFrom('snapshot-control', 'data'),
    mountPath: fc.constantFrom('/data', '/snapshot-control', '/snapshot-control/', '/dev/shm'),
    subPath: fc.string(),
  },
  { requiredKeys: ['name', 'mountPath'] },
);
const container = fc.record(
  {
    name,
    image: fc.string(),
    command: fc.array(fc.string(), { maxLength: 2 }),
    args: fc.array(fc.string(), { maxLength: 2 }),
    env: fc.array(
      fc.record({ name: fc.constantFrom('A', 'SNAPSHOT_CONTROL_DIR'), value: fc.string() }),
      { maxLength: 3 },
    ),
    volumeMounts: fc.array(mount, { maxLength: 3 }),
    resources: fc.record({ limits: fc.dictionary(fc.constantFrom('cpu', 'gpu'), fc.string()) }),
    lifecycle: fc.record({ postStart: exec, preStop: exec }, { requiredKeys: [] }),
    startupProbe: exec,
    livenessProbe: exec,
    readinessProbe: exec,
    workingDir: fc.string(),
  },
  { requiredKeys: ['name'] },
);
const anyPod = fc.record({
  metadata: fc.record(
    {
      name: fc.string(),
      labels: fc.dictionary(key, fc.string()),
      annotations: fc.dictionary(key, fc.string()),
    },
    { requiredKeys: [] },
  ),
  spec: fc.record(
    {
      containers: fc.uniqueArray(container, {
        selector: (one) => one.name,
        minLength: 1,
        maxLength: 3,
      }),
      initContainers: fc.array(
        fc.record(
          {
            name: fc.constantFrom('a', 'cryopod-init'),
            restartPolicy: fc.constantFrom('Always', 'OnFailure'),
          },
          { requiredKeys: ['name'] },
        ),
        { maxLength: 3 },
      ),
      volumes: fc.uniqueArray(
        fc.record(
          { name: fc.constantFrom('snapshot-control', 'data'), emptyDir: fc.constant({}) },
          { requiredKeys: ['name'] },
        ),
        { selector: (one) => one.name },
      ),
      readinessGates: fc.array(
        fc.record({ conditionType: fc.constantFrom('a', 'nvidia.com/Restored') }),
        { maxLength: 2 },
      ),
      shareProcessNamespace: fc.boolean(),
      restartPolicy: fc.constantFrom('Always', 'Never'),
      nodeSelector: fc.dictionary(key, fc.string()),
    },
    { requiredKeys: ['containers'] },
  ),
});
const anyTargets = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
const identity = {
  name: 'p',
  namespace: 'n',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '',
};
const touched = {
  metadata: ['annotations'],
  spec: ['readinessGates', 'volumes', 'initContainers', 'containers'],
  target: ['command', 'args', 'env', 'volumeMounts', 'startupProbe', 'lifecycle'],
};
const without = (object: object, fields: readonly string[]): object =>
  Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));

describe('whatever the pod', () => {
  it('a shaped one is a placeholder, and shaping it again changes nothing', () => {
    fc.assert(
      fc.property(anyPod, anyTargets, (raw, containers) => {
        const { pod } = shapePlaceholder(raw, { ...facts, containers });
        if (pod === undefined) return;
        const read = podSchema.parse({ metadata: identity, spec: pod.spec });
        expect(placeholderProblems(read, containers)).toEqual([]);
        expect(shapePlaceholder(pod, { ...facts, containers })).toEqual({ pod });
      }),
      { numRuns: 1000 },
    );
  });

  it('nothing of it changes but what a placeholder needs, and the manifest given never', () => {
    fc.assert(
      fc.property(anyPod, anyTargets, (raw, containers) => {
        const before = structuredClone(raw);
        const { pod } = shapePlaceholder(raw, { ...facts, containers });
        expect(raw).toEqual(before);
        if (pod === undefined) return;
        expect(without(pod.metadata, touched.metadata)).toEqual(
          without(raw.metadata, touched.metadata),
        );
        expect(pod.metadata.annotations).toEqual({ ...raw.metadata.annotations, ...restore });
        expect(without(pod.spec, touched.spec)).toEqual(without(raw.spec, touched.spec));
        for (const [index, after] of pod.spec.containers.entries()) {
          const of = raw.spec.containers[index] ?? {};
          const isTarget = containers.some((one) => one === after.name);
          const fields = isTarget ? touched.target : [];
          expect(without(after, fields)).toEqual(without(of, fields));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
