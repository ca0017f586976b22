import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeJob } from '../../../../controller/checkpoint/shape-job.ts';
import type { PodTemplate } from '../../../../controller/source-job/pod-template.ts';
import { shapeTemplate } from '../../../../controller/source-job/shape-template.ts';
import { parseDynamoCheckpoint } from '../../../../core/api/dynamo-checkpoint.ts';
import { annotations, labels } from '../../../../core/api/names.ts';

const options = {
  targetContainerName: 'main',
  checkpointID: '0123456789abcdef',
  ownerUID: 'owner-uid',
  labels: {},
  readiness: 'Sentinel',
  initImage: 'sample-init',
  sharedMemorySize: '8Gi',
} as const;

const path = fc.constantFrom('/snapshot-control', '/snapshot-control/', '/dev/shm', '/data', '/a');
const volumeName = fc.constantFrom('snapshot-control', 'snapshot-shared-memory', 'data', 'other');
const environmentName = fc.constantFrom('GODEBUG', 'SNAPSHOT_CONTROL_DIR', 'PATH', 'A');

const container = (name: string) =>
  fc.record(
    {
      name: fc.constant(name),
      image: fc.constant('sample'),
      env: fc.array(fc.record({ name: environmentName, value: fc.string() }), { maxLength: 4 }),
      volumeMounts: fc.array(fc.record({ name: volumeName, mountPath: path }), { maxLength: 4 }),
      livenessProbe: fc.constant({ exec: {} }),
      startupProbe: fc.constant({ exec: {} }),
      readinessProbe: fc.constant({ httpGet: { port: 80 } }),
      securityContext: fc.constantFrom({}, { seccompProfile: { type: 'Unconfined' } }),
    },
    { requiredKeys: ['name', 'image'] },
  );

const template: fc.Arbitrary<PodTemplate> = fc.record(
  {
    metadata: fc.record(
      {
        labels: fc.dictionary(fc.constantFrom('app', 'sidecar.istio.io/inject'), fc.string()),
        annotations: fc.dictionary(fc.constantFrom('note', 'linkerd.io/inject'), fc.string()),
      },
      { requiredKeys: [] },
    ),
    spec: fc
      .tuple(
        container('main'),
        fc.option(container('side'), { nil: undefined }),
        fc.uniqueArray(volumeName),
        fc.constantFrom({}, { securityContext: { runAsUser: 7 } }, { restartPolicy: 'Always' }),
      )
      .map(([main, side, volumes, rest]) => ({
        ...rest,
        containers: side === undefined ? [main] : [side, main],
        volumes: volumes.map((name) => ({ name, hostPath: { path: '/' } })),
      })),
  },
  { requiredKeys: ['spec'] },
);

const mainOf = (shaped: PodTemplate | undefined) =>
  shaped?.spec.containers.find(({ name }) => name === 'main');

describe('shaping a pod template', () => {
  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(template, (given) => {
        const once = shapeTemplate(given, options);
        expect(once).toBeDefined();
        expect(once && shapeTemplate(once, options)).toEqual(once);
      }),
    );
  });

  it('gives the target one control mount on an emptyDir, whatever the template says', () => {
    fc.assert(
      fc.property(template, (given) => {
        const shaped = shapeTemplate(given, options);
        const mounts = mainOf(shaped)?.volumeMounts?.filter(({ mountPath }) =>
          mountPath.startsWith('/snapshot-control'),
        );
        expect(mounts).toEqual([
          { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' },
        ]);
        const volumes = shaped?.spec.volumes?.filter(({ name }) => name === 'snapshot-control');
        expect(volumes).toEqual([{ name: 'snapshot-control', emptyDir: {} }]);
      }),
    );
  });

  it('leaves every other container as it came', () => {
    fc.assert(
      fc.property(template, (given) => {
        const others = (from: PodTemplate | undefined) =>
          from?.spec.containers.filter(({ name }) => name !== 'main');
        expect(others(shapeTemplate(given, options))).toEqual(others(given));
      }),
    );
  });

  it('replaces the probes of the target by one on the sentinel', () => {
    const main = { name: 'main', livenessProbe: {}, startupProbe: {}, readinessProbe: {} };
    const shaped = mainOf(shapeTemplate({ spec: { containers: [main] } }, options));
    expect(shaped).not.toHaveProperty('livenessProbe');
    expect(shaped).not.toHaveProperty('startupProbe');
    expect(shaped?.readinessProbe).toEqual({
      exec: {
        command: ['/snapshot-control/init', 'exists', '/snapshot-control/ready-for-snapshot'],
      },
      periodSeconds: 1,
    });
  });

  it('brings the program of that probe along, for images that have none; with PodReady there is no need', () => {
    const given = {
      spec: { containers: [{ name: 'main' }], initContainers: [{ name: 'own' }] },
    };
    const shaped = shapeTemplate(given, options)?.spec.initContainers;
    expect(shaped).toMatchObject([
      { name: 'own' },
      {
        image: 'sample-init',
        args: ['copy', '/snapshot-control/main/init'],
        volumeMounts: [{ mountPath: '/snapshot-control/main', subPath: 'main' }],
      },
    ]);
    const wanted = { ...options, readiness: 'PodReady' } as const;
    expect(shapeTemplate(given, wanted)?.spec.initContainers).toEqual([{ name: 'own' }]);
  });

  it('keeps the readiness probe of the template with PodReady', () => {
    const main = { name: 'main', readinessProbe: { httpGet: { port: 80 } } };
    const wanted = { ...options, readiness: 'PodReady' } as const;
    const shaped = mainOf(shapeTemplate({ spec: { containers: [main] } }, wanted));
    expect(shaped?.readinessProbe).toEqual(main.readinessProbe);
  });

  it('mounts shared memory of the size asked for, unless there is a mount or none is wanted', () => {
    const plain = { spec: { containers: [{ name: 'main' }] } };
    expect(shapeTemplate(plain, options)?.spec.volumes).toContainEqual({
      name: 'snapshot-shared-memory',
      emptyDir: { medium: 'Memory', sizeLimit: '8Gi' },
    });
    const none = shapeTemplate(plain, { ...options, sharedMemorySize: undefined });
    expect(none?.spec.volumes).toHaveLength(1);
    const mounted = { name: 'main', volumeMounts: [{ name: 'own', mountPath: '/dev/shm' }] };
    expect(shapeTemplate({ spec: { containers: [mounted] } }, options)?.spec.volumes).toHaveLength(
      1,
    );
  });

  it('turns MPTCP off for Go programs, but not over a GODEBUG of the template', () => {
    const plain = { spec: { containers: [{ name: 'main' }] } };
    expect(mainOf(shapeTemplate(plain, options))?.env).toContainEqual({
      name: 'GODEBUG',
      value: 'multipathtcp=0',
    });
    const own = { name: 'GODEBUG', value: 'gctrace=1' };
    const set = { spec: { containers: [{ name: 'main', env: [own] }] } };
    const environment = mainOf(shapeTemplate(set, options))?.env;
    expect(environment?.filter(({ name }) => name === 'GODEBUG')).toEqual([own]);
  });

  it('blocks io_uring by the default seccomp profile unless the template names one', () => {
    const plain = { spec: { containers: [{ name: 'main' }], securityContext: { runAsUser: 7 } } };
    expect(shapeTemplate(plain, options)?.spec.securityContext).toEqual({
      runAsUser: 7,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    const own = { seccompProfile: { type: 'Unconfined' } };
    const named = { spec: { containers: [{ name: 'main' }], securityContext: own } };
    expect(shapeTemplate(named, options)?.spec.securityContext).toEqual(own);
  });

  it('opts out of sidecars and marks the pod as a source', () => {
    const shaped = shapeTemplate({ spec: { containers: [{ name: 'main' }] } }, options);
    expect(shaped?.metadata?.annotations).toEqual({
      'linkerd.io/inject': 'disabled',
      'sidecar.istio.io/inject': 'false',
      [annotations.targetContainers]: 'main',
      [annotations.artifactVersion]: '1',
    });
    expect(shaped?.metadata?.labels).toEqual({
      [labels.checkpointSource]: 'true',
      [labels.checkpointID]: options.checkpointID,
      [labels.owner]: options.ownerUID,
    });
  });
});

const checkpointWith = (job: object) => {
  const parsed = parseDynamoCheckpoint({
    metadata: { name: 'counter', namespace: 'default', uid: 'u1' },
    spec: { job: { podTemplateSpec: { spec: { containers: [{ name: 'main' }] } }, ...job } },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
};

describe('shaping a Job', () => {
  it('never lets the Job retry by itself, and carries deadline and TTL', () => {
    const wanted = { activeDeadlineSeconds: 60, backoffLimit: 4, ttlSecondsAfterFinished: 5 };
    const shaped = shapeJob(checkpointWith(wanted), 'abc', 2, 'init');
    expect(shaped).toMatchObject({
      ok: true,
      job: {
        metadata: { name: 'checkpoint-job-abc-1-r2', namespace: 'default' },
        spec: { backoffLimit: 0, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 5 },
      },
    });
  });

  it('refuses a template without the target container and names those it has', () => {
    const shaped = shapeJob(checkpointWith({ targetContainerName: 'gpu' }), 'abc', 0, 'init');
    expect(shaped).toMatchObject({ ok: false, reason: 'InvalidTargetContainer' });
    expect(shaped.ok ? '' : shaped.message).toContain('it has: main');
  });

  it('refuses what is no pod template at all', () => {
    const shaped = shapeJob(checkpointWith({ podTemplateSpec: { spec: {} } }), 'abc', 0, 'init');
    expect(shaped).toMatchObject({ ok: false, reason: 'JobRejected' });
  });
});
