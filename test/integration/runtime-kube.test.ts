import { copyFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../../core/api/kinds.ts';
import { systemClock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import { type ConnectedKube, connectKube } from '../../runtime/kube.ts';
import { serverNow } from '../../runtime/kube-port.ts';
import { type Bed, downBed, upBed } from '../bed/bed.ts';
import { kubeContract } from '../contract/kube.contract.ts';

const name = 'runtime-kube';
const never = new AbortController().signal;
let bed: Bed;
let kube: ConnectedKube;

beforeAll(async () => {
  bed = await upBed({ name, nodes: 0 });
  await bed.kubectl(['apply', '-f', 'crds/podsnapshots.yaml']);
  await bed.kubectl(['wait', '--for=condition=Established', 'crd/podsnapshots.nvidia.com']);
  kube = await connectKube({
    kubeconfigPath: bed.kubeconfigPath,
    requestTimeoutMilliseconds: 10_000,
    userAgent: 'cryopod-test/0',
  });
});
afterAll(async () => {
  kube.close();
  await downBed(name);
});

kubeContract('a real API server', async () => ({ kube, namespace: 'default' }));

describe('a connection to a real API server', () => {
  it('knows the time of the server', async () => {
    await kube.list({ kind: kinds.node, limit: 1 }, never);
    const now = serverNow(kube, systemClock.monotonicMilliseconds()) ?? 0;
    expect(Math.abs(now - Date.now())).toBeLessThan(2_000);
  });

  it('does not take a kind that is not served for an object that is gone', async () => {
    const key = {
      kind: { ...kinds.podSnapshot, plural: 'podfreezers' },
      namespace: 'default',
      name: 'x',
    };
    const failure = await kube.get(key, never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ kind: 'retry', reason: 'KindNotServed' });
  });

  it('says what is wrong with an object that is not valid', async () => {
    const lease = {
      metadata: { name: 'wrong', namespace: 'default' },
      spec: { leaseDurationSeconds: -1 },
    };
    const creating = kube.create(kinds.lease, lease, { dryRun: false }, never);
    await expect(creating).rejects.toMatchObject({
      kind: 'terminal',
      reason: 'Invalid',
      message: expect.stringContaining('leaseDurationSeconds'),
    });
  });

  it('goes on with certificates that were replaced on disk', async () => {
    const paths = {
      certificate: `${bed.directory}/rotating.crt`,
      key: `${bed.directory}/rotating.key`,
    };
    const become = async (user: string): Promise<void> => {
      await copyFile(`${bed.directory}/pki/${user}.crt`, paths.certificate);
      await copyFile(`${bed.directory}/pki/${user}.key`, paths.key);
    };
    await become('admin');
    const kubeconfigPath = `${bed.directory}/rotating.kubeconfig`;
    const config = {
      clusters: [
        { name: 'c', cluster: { server: bed.server, 'certificate-authority': bed.caPath } },
      ],
      users: [
        { name: 'u', user: { 'client-certificate': paths.certificate, 'client-key': paths.key } },
      ],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    await writeFile(kubeconfigPath, JSON.stringify(config));
    const options = {
      kubeconfigPath,
      requestTimeoutMilliseconds: 10_000,
      userAgent: 'cryopod-test/0',
    };
    const rotating = await connectKube(options);
    const list = () => rotating.list({ kind: kinds.podSnapshot, limit: 1 }, never);
    await list();
    await become('scheduler');
    await expect(list()).rejects.toMatchObject({
      kind: 'terminal',
      reason: 'Forbidden',
      message: expect.stringContaining('system:kube-scheduler'),
    });
    rotating.close();
  });
});
