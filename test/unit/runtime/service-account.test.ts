import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serverOfPod, serviceAccountAccess } from '../../../runtime/service-account.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the service account of a pod', () => {
  let directory: string;
  const give = (file: string, text: string): Promise<void> =>
    writeFile(join(directory, file), text);
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cryopod-account-'));
    await give('ca.crt', 'authority\n');
    await give('token', 'first\n');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('finds the API server in the environment, also by an IPv6 address', () => {
    expect(serverOfPod({})).toBeUndefined();
    const port = { KUBERNETES_SERVICE_PORT: '6443' };
    expect(serverOfPod({ KUBERNETES_SERVICE_HOST: '10.0.0.1', ...port })?.host).toBe(
      '10.0.0.1:6443',
    );
    expect(serverOfPod({ KUBERNETES_SERVICE_HOST: 'fd00::1', ...port })?.host).toBe(
      '[fd00::1]:6443',
    );
  });

  it('shows its token, and the new one within a minute of a rotation', async () => {
    const clock = new FakeClock();
    const access = serviceAccountAccess(new URL('https://10.0.0.1'), directory, clock);
    const first = { ca: 'authority', headers: { Authorization: 'Bearer first' } };
    expect(await access.options()).toEqual(first);
    await give('token', 'second');
    await clock.advance(59_000);
    expect(await access.options()).toEqual(first);
    await clock.advance(1_000);
    expect(await access.options()).toEqual({
      ...first,
      headers: { Authorization: 'Bearer second' },
    });
  });

  it('fails for a moment while its files are not there', async () => {
    await rm(join(directory, 'token'));
    const access = serviceAccountAccess(new URL('https://10.0.0.1'), directory, new FakeClock());
    await expect(access.options()).rejects.toMatchObject({
      kind: 'retry',
      reason: 'NoServiceAccount',
    });
  });

  it('is had without the Kubernetes client, which would cost a pod 30 MiB', async () => {
    const source = 'await import(process.argv[1]); console.log(process.memoryUsage().heapUsed);';
    const url = new URL('../../../runtime/kube.ts', import.meta.url).href;
    const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', source, url]);
    expect(Number(stdout) / 2 ** 20).toBeLessThan(25);
  });
});
