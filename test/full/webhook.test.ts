import { X509Certificate } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { issueAuthority, issueServer } from '../../controller/webhook/certificates/issue.ts';
import { dataOf } from '../../controller/webhook/certificates/secret.ts';
import { kinds } from '../../core/api/kinds.ts';
import { placeholderProblems } from '../../core/api/restore.ts';
import { downBed } from '../bed/bed.ts';
import { hubAddress } from '../bed/network.ts';
import {
  boundContent,
  captured,
  snapshotFailure,
  snapshotOf,
} from '../integration/controller-objects.ts';
import {
  type ControllerProcess,
  type ControllerWorld,
  controllerWorld,
} from '../integration/controller-world.ts';

const bedName = 'restore-webhook';
const never = new AbortController().signal;
const day = 86_400_000;
const deploy = (file: string): string =>
  fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));
const replicas = [
  { name: 'controller-a', port: 9443 },
  { name: 'controller-b', port: 9444 },
];
let world: ControllerWorld;
const running = new Map<string, ControllerProcess>();

/** Where the API server finds a replica: nobody here makes slices of pods. */
const slice = (name: string, port: number): string =>
  stringify({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...{ name, namespace: 'cryopod-system' },
      labels: { 'kubernetes.io/service-name': 'cryopod-webhook' },
    },
    addressType: 'IPv4',
    ports: [{ name: 'webhook', port }],
    endpoints: [{ addresses: [hubAddress], conditions: { ready: true } }],
  });
async function start({
  name,
  port,
}: {
  readonly name: string;
  readonly port: number;
}): Promise<void> {
  const environment = { CRYOPOD_WEBHOOK_PORT: String(port), CRYOPOD_INIT_IMAGE: 'init:1' };
  running.set(name, world.startInHub(name, environment));
  await world.bed.apply(slice(name, port));
}
async function stop(name: string): Promise<void> {
  await world.bed.kubectl(['delete', 'endpointslice', name, '-n', 'cryopod-system']);
  await running.get(name)?.stop('SIGTERM');
  running.delete(name);
}

const podOf = (name: string, source: string | undefined, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name, namespace: 'default' },
    ...(source === undefined ? {} : { annotations: { 'nvidia.com/restore-from': source } }),
  },
  spec: { containers: [{ name: 'main', image: 'sample', args: ['serve'] }], ...spec },
});
/** What the API server makes of a pod, without keeping it. */
const tried = async (pod: object, ...flags: readonly string[]) => {
  const words = ['create', '--dry-run=server', '-o', 'json', ...flags, '-f', '-'];
  return JSON.parse(await world.bed.kubectl(words, JSON.stringify(pod)));
};
const admitted = 'it was admitted';
const refusal = (pod: object, ...flags: readonly string[]): Promise<string> =>
  tried(pod, ...flags).then(
    () => admitted,
    (error: unknown) => String(error),
  );
const served = () =>
  world.until('the webhook to answer', async () =>
    (await refusal(podOf('probe', 'nowhere'))).includes('does not exist') ? true : undefined,
  );

const secret = {
  kind: kinds.secret,
  namespace: 'cryopod-system',
  name: 'cryopod-webhook-certificates',
};
async function secretField(field: string): Promise<string> {
  const { data } = JSON.parse(JSON.stringify(await world.kube.get(secret, never)));
  return Buffer.from(data?.[field] ?? '', 'base64').toString();
}
async function trusted(): Promise<readonly string[]> {
  const key = { kind: kinds.mutatingWebhookConfiguration, namespace: '', name: 'cryopod-pods' };
  const { webhooks } = JSON.parse(JSON.stringify(await world.kube.get(key, never)));
  const bundle = Buffer.from(webhooks[0].clientConfig.caBundle ?? '', 'base64').toString();
  return (bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map(
    (text) => new X509Certificate(text).fingerprint256,
  );
}
const fingerprint = (certificate: string): string =>
  new X509Certificate(certificate).fingerprint256;

beforeAll(async () => {
  world = await controllerWorld(bedName);
  await world.bed.kubectl(['apply', '-f', deploy('webhook.yaml')]);
  for (const replica of replicas) await start(replica);
  await world.pod('source');
  for (const name of ['saved', 'leaving', 'pending']) {
    await world.create(kinds.podSnapshot, snapshotOf(name, { name: 'source' }));
    const content = await boundContent(world, name);
    if (name !== 'pending') {
      await world.status(kinds.podSnapshotContent, content.metadata.name, captured);
      await world.bed.kubectl([
        'wait',
        `podsnapshot/${name}`,
        '--for=condition=Ready',
        '--timeout=30s',
      ]);
    }
  }
  await world.remove(kinds.podSnapshot, 'leaving');
  await world.create(kinds.podSnapshot, snapshotOf('broken', { name: 'nobody' }));
  await snapshotFailure(world, 'broken');
  await served();
});
afterAll(async () => {
  for (const controller of running.values()) await controller.stop('SIGTERM');
  await world.close();
  await downBed(bedName);
});

const accounts = ['replicaset-controller', 'statefulset-controller', 'job-controller'];

describe('a pod annotated with a Ready snapshot', () => {
  it.each(['', ...accounts])('is a placeholder once it is created (by %s)', async (account) => {
    const { metadata, ...rest } = podOf('again', 'saved', {
      initContainers: [{ name: 'prepare', image: 'sample' }],
    });
    const { name, ...anonymous } = metadata;
    const pod = { ...rest, metadata: { ...anonymous, generateName: `${name}-` } };
    const as = account === '' ? [] : ['--as', `system:serviceaccount:kube-system:${account}`];
    const { spec } = await tried(pod, ...as);
    expect(placeholderProblems({ spec }, ['main'])).toEqual([]);
    expect(spec.initContainers).toMatchObject([{ name: 'cryopod-init', image: 'init:1' }]);
    expect(spec.containers[0]).not.toHaveProperty('args');
    // What the API server puts in by itself is there besides.
    expect(spec.containers[0].volumeMounts).toHaveLength(2);
  });

  it('is taken by the API server as it is shaped, and stays so when it is made once more', async () => {
    await world.bed.apply(stringify(podOf('kept', 'saved')));
    const read = async () =>
      JSON.parse(await world.bed.kubectl(['get', 'pod', 'kept', '-o', 'json']));
    const { spec } = await read();
    const { nodeName: _node, ...again } = spec;
    const second = await tried(podOf('second', 'saved', again));
    expect(second.spec).toEqual(spec);
  });
});

describe('a pod is not admitted, and whoever creates it is told why, when it names a snapshot that', () => {
  it.each([
    [
      'does not exist',
      podOf('x', 'nowhere'),
      'PodSnapshot nowhere does not exist in namespace default',
    ],
    ['is not Ready yet', podOf('x', 'pending'), 'PodSnapshot pending is not Ready yet'],
    ['has failed', podOf('x', 'broken'), 'PodSnapshot broken has failed'],
    ['is being deleted', podOf('x', 'leaving'), 'PodSnapshot leaving is being deleted'],
    [
      'would be of another namespace',
      podOf('x', 'other/saved'),
      '"other/saved" is no name of a PodSnapshot; one of namespace default is asked for',
    ],
    [
      'holds another container',
      podOf('x', 'saved', { containers: [{ name: 'web', image: 'w' }] }),
      'there is no container main, which the snapshot holds; there is: web',
    ],
  ])('%s', async (_, pod, said) => {
    const words = await refusal(pod);
    expect(words).toContain('admission webhook "pods.cryopod.dev" denied the request');
    expect(words).toContain(said);
  });
});

it('a new authority and a new certificate come while the API server calls on, and no call fails', async () => {
  // As it would be after eight months: the authority is due to be replaced.
  const now = Date.now();
  const old = await issueAuthority('Old', { from: now - 250 * day, until: now + 115 * day });
  const names = ['cryopod-webhook.cryopod-system.svc'];
  const server = await issueServer(old, names, { from: now - 3 * day, until: now + 87 * day });
  for (const { name } of replicas) await stop(name);
  const held = { authorities: [old.certificate], authorityKey: old.key, server };
  const body = { data: dataOf(held) };
  await world.kube.patch(secret, '', { type: 'merge', body }, never);
  for (const replica of replicas) await start(replica);
  await served();

  const failures: string[] = [];
  let calls = 0;
  let over = false;
  const calling = (async () => {
    while (!over) {
      const said = await refusal(podOf(`call-${calls}`, 'saved'));
      calls += 1;
      if (said !== admitted) failures.push(said);
    }
  })();
  await world.until('the old and a new authority to be trusted', async () => {
    const found = await trusted();
    return found.length === 2 && found[0] === fingerprint(old.certificate) ? true : undefined;
  });
  const inUse = async () => fingerprint(await secretField('tls.crt'));
  expect(await inUse()).toBe(fingerprint(server.certificate));
  await world.until(
    'the next certificate',
    async () => ((await inUse()) === fingerprint(server.certificate) ? undefined : true),
    60_000,
  );
  const certificatesOf = (name: string): number =>
    running
      .get(name)
      ?.log()
      .match(/the webhook has a new certificate/g)?.length ?? 0;
  await world.until('both replicas to serve it', async () =>
    replicas.every(({ name }) => certificatesOf(name) === 2) ? true : undefined,
  );
  const counted = calls;
  await world.until('calls of it', async () => (calls > counted + 10 ? true : undefined));
  over = true;
  await calling;
  expect(failures).toEqual([]);
  expect(await trusted()).toHaveLength(2);
}, 240_000);

describe('while no webhook answers', () => {
  beforeAll(async () => {
    for (const { name } of replicas) await stop(name);
  });

  it('an annotated pod is not created, so that it cannot start cold', async () => {
    expect(await refusal(podOf('x', 'saved'))).toMatch(/failed calling webhook "pods.cryopod.dev"/);
  });

  it.each([
    ['without the annotation', podOf('plain', undefined), []],
    [
      'of the controller',
      podOf('own', 'saved'),
      [
        '--as',
        'system:serviceaccount:cryopod-system:cryopod-controller',
        '--as-group',
        'system:masters',
      ],
    ],
    [
      'of the system namespace',
      {
        ...podOf('self', 'saved'),
        metadata: {
          name: 'self',
          namespace: 'cryopod-system',
          annotations: { 'nvidia.com/restore-from': 'saved' },
        },
      },
      [],
    ],
  ])('a pod %s is created as ever', async (_, pod, flags) => {
    if (pod.metadata.namespace === 'cryopod-system') {
      await world.bed.kubectl(['create', 'serviceaccount', 'default', '-n', 'cryopod-system']);
    }
    const { spec } = await tried(pod, ...flags);
    expect(spec.containers[0].args).toEqual(['serve']);
  });
});
