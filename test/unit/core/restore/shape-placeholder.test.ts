import { describe, expect, it } from 'vitest';
import type { ManifestContainer, PodManifest } from '../../../../core/restore/pod-manifest.ts';
import { shapePlaceholder } from '../../../../core/restore/shape-placeholder.ts';

const facts = { snapshotName: 'saved', containers: ['main'], initImage: 'example.test/init:1' };
const restore = { 'nvidia.com/restore-from': 'saved' };
const main = { name: 'main', image: 'app', command: ['/app'], args: ['--serve'] };

type Spec = Partial<PodManifest['spec']>;
const podOf = (spec: Spec = {}) => ({
  metadata: { name: 'pod', annotations: restore },
  spec: { containers: [main], ...spec },
});
const shaped = (raw: unknown, change: Partial<typeof facts> = {}): PodManifest => {
  const { pod, problems } = shapePlaceholder(raw, { ...facts, ...change });
  if (pod === undefined) throw new Error(problems.join('; '));
  return pod;
};
const containerOf = (pod: PodManifest, name: string): ManifestContainer => {
  const found = pod.spec.containers.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const problemsOf = (raw: unknown): string =>
  shapePlaceholder(raw, facts).problems?.join('; ') ?? '';

describe('a shaped pod', () => {
  it('waits for its state in every container that the snapshot holds', () => {
    const pod = shaped(podOf());
    expect(pod.metadata.annotations).toEqual(restore);
    expect(pod.spec.readinessGates).toEqual([{ conditionType: 'nvidia.com/Restored' }]);
    expect(pod.spec.volumes).toEqual([{ name: 'snapshot-control', emptyDir: {} }]);
    const target = containerOf(pod, 'main');
    expect(target.command).toEqual(['/snapshot-control/init']);
    expect(target).not.toHaveProperty('args');
    expect(target.image).toBe('app');
    expect(target.volumeMounts).toEqual([
      { name: 'snapshot-control', mountPath: '/snapshot-control', subPath: 'main' },
    ]);
    expect(target.startupProbe).toMatchObject({
      exec: { command: ['/snapshot-control/init', 'probe'] },
      periodSeconds: 1,
    });
  });

  it('gets the init into each control directory, at no further cost', () => {
    const resources = {
      requests: { cpu: '1', memory: '1Gi', 'nvidia.com/gpu': 1 },
      limits: { cpu: '1', memory: '1Gi', 'nvidia.com/gpu': 1 },
      claims: [{ name: 'gpu' }],
    };
    const containers = [{ ...main, resources }, { name: 'second' }];
    const pod = shaped(podOf({ containers }), { containers: ['main', 'second'] });
    expect(pod.spec.initContainers).toMatchObject([
      {
        name: 'cryopod-init',
        image: 'example.test/init:1',
        args: ['copy', '/snapshot-control/main/init', '/snapshot-control/second/init'],
        resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } },
        volumeMounts: [
          { mountPath: '/snapshot-control/main', subPath: 'main' },
          { mountPath: '/snapshot-control/second', subPath: 'second' },
        ],
      },
    ]);
    expect(JSON.stringify(pod.spec.initContainers)).not.toMatch(/gpu|claims/);
  });

  it('runs none of the source’s init containers again, and keeps those that run on beside the others', () => {
    const sidecar = { name: 'proxy', image: 'proxy', restartPolicy: 'Always' };
    const pod = shaped(podOf({ initContainers: [{ name: 'migrate' }, sidecar] }));
    expect(pod.spec.initContainers?.map(({ name }) => name)).toEqual(['cryopod-init', 'proxy']);
    expect(pod.spec.initContainers?.[1]).toEqual(sidecar);
  });

  it('keeps probes and preStop of a target, and nothing that would run before its state is back', () => {
    const kept = {
      livenessProbe: { tcpSocket: { port: 1 } },
      readinessProbe: { tcpSocket: { port: 2 } },
    };
    const lifecycle = {
      postStart: { exec: { command: ['a'] } },
      preStop: { exec: { command: ['b'] } },
    };
    const container = { ...main, ...kept, lifecycle, startupProbe: { tcpSocket: { port: 3 } } };
    const target = containerOf(shaped(podOf({ containers: [container] })), 'main');
    expect(target).toMatchObject(kept);
    expect(target.lifecycle).toEqual({ preStop: { exec: { command: ['b'] } } });
    expect(target.startupProbe).not.toHaveProperty('tcpSocket');
  });

  it('has no hooks left where postStart was the only one', () => {
    const container = { ...main, lifecycle: { postStart: { exec: { command: ['a'] } } } };
    expect(containerOf(shaped(podOf({ containers: [container] })), 'main')).not.toHaveProperty(
      'lifecycle',
    );
  });

  it('does not wait for a sentinel that the restored process wrote before it was captured', () => {
    const readinessProbe = { exec: { command: ['cat', '/snapshot-control/ready-for-snapshot'] } };
    const container = { ...main, readinessProbe };
    expect(containerOf(shaped(podOf({ containers: [container] })), 'main')).not.toHaveProperty(
      'readinessProbe',
    );
  });

  it('has its control directory where the init looks, whatever the pod said', () => {
    const env = [
      { name: 'SNAPSHOT_CONTROL_DIR', value: '/elsewhere' },
      { name: 'A', value: 'b' },
    ];
    const target = containerOf(shaped(podOf({ containers: [{ ...main, env }] })), 'main');
    expect(target.env).toEqual([
      { name: 'SNAPSHOT_CONTROL_DIR', value: '/snapshot-control' },
      { name: 'A', value: 'b' },
    ]);
  });

  it('of a captured template has no debugging container', () => {
    expect(shaped(podOf({ ephemeralContainers: [{ name: 'debugger' }] })).spec).not.toHaveProperty(
      'ephemeralContainers',
    );
  });

  it('of a pod that was restored itself waits for the new snapshot', () => {
    const first = shaped(podOf());
    const second = shaped(first, { snapshotName: 'later', initImage: 'example.test/init:2' });
    expect(second.metadata.annotations).toEqual({ 'nvidia.com/restore-from': 'later' });
    expect(second.spec.initContainers).toMatchObject([{ image: 'example.test/init:2' }]);
    expect(second.spec.containers).toEqual(first.spec.containers);
  });
});

describe('no placeholder is made of a pod', () => {
  it.each([
    [
      'that lacks a container',
      podOf({ containers: [{ name: 'other' }] }),
      /no container main, which the snapshot holds; there is: other/,
    ],
    [
      'whose control volume could lead elsewhere',
      podOf({ volumes: [{ name: 'snapshot-control', hostPath: { path: '/' } }] }),
      /snapshot-control is no emptyDir/,
    ],
    [
      'that mounts something else there',
      podOf({
        containers: [
          { ...main, volumeMounts: [{ name: 'data', mountPath: '/snapshot-control/' }] },
        ],
      }),
      /mounts data at \/snapshot-control/,
    ],
    [
      'whose containers share their processes',
      podOf({ shareProcessNamespace: true }),
      /spec.shareProcessNamespace is set/,
    ],
    ['with the processes of the node', podOf({ hostPID: true }), /spec.hostPID is set/],
    [
      'that uses the name of the init’s container',
      podOf({ containers: [main, { name: 'cryopod-init' }] }),
      /called cryopod-init/,
    ],
    ['that is none', { spec: {} }, /does not parse: spec.containers/],
  ])('%s', (_, raw, said) => {
    expect(problemsOf(raw)).toMatch(said);
  });

  it('of a snapshot without containers', () => {
    const { problems } = shapePlaceholder(podOf(), { ...facts, containers: [] });
    expect(problems).toEqual(['the snapshot names no container']);
  });
});
