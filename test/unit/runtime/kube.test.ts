import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { type ConnectedKube, connectKube } from '../../../runtime/kube.ts';
import { serverNow } from '../../../runtime/kube-port.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const never = new AbortController().signal;
const key = { kind: kinds.pod, namespace: 'default', name: 'web' };
const pod = '{"kind":"Pod","metadata":{"name":"web"}}';
let directory: string;
let server: Server;
let kube: ConnectedKube | undefined;
let requests: IncomingMessage[];
let answer: (response: ServerResponse, request: IncomingMessage) => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cryopod-kube-'));
  requests = [];
  answer = (response) => void response.end(pod);
  server = createServer((request, response) => {
    requests.push(request);
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  kube?.close();
  vi.unstubAllEnvs();
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

const portOf = (): number => {
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
};

async function kubeconfig(user: object, cluster: object = {}): Promise<string> {
  const path = join(directory, 'kubeconfig');
  const text = JSON.stringify({
    clusters: [
      {
        name: 'c',
        cluster: {
          server: `http://127.0.0.1:${portOf()}/base/`,
          'insecure-skip-tls-verify': true,
          ...cluster,
        },
      },
    ],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'x', context: { cluster: 'c', user: 'u' } },
      { name: 'other', context: { cluster: 'c', user: 'u', namespace: 'team' } },
    ],
    'current-context': 'x',
  });
  await writeFile(path, text);
  return path;
}

const connect = async (kubeconfigPath: string, clock = new FakeClock()): Promise<ConnectedKube> => {
  const options = {
    kubeconfigPath,
    clock,
    requestTimeoutMilliseconds: 5_000,
    userAgent: 'cryopod-test/0',
  };
  kube = await connectKube(options);
  return kube;
};

it('says what it is and who it is, below the path of the server', async () => {
  const connected = await connect(await kubeconfig({ token: 'secret' }));
  await connected.get(key, never);
  expect(requests[0]?.url).toBe('/base/api/v1/namespaces/default/pods/web');
  expect(requests[0]?.headers).toMatchObject({
    authorization: 'Bearer secret',
    'user-agent': 'cryopod-test/0',
    accept: 'application/json',
  });
});

it('sends patches under their own content type', async () => {
  const connected = await connect(await kubeconfig({}));
  await connected.patch(key, 'status', { type: 'merge', body: {} }, never);
  await connected.patch(key, '', { type: 'json', body: [] }, never);
  expect(requests.map((request) => request.headers['content-type'])).toEqual([
    'application/merge-patch+json',
    'application/json-patch+json',
  ]);
});

it('reads a rotated token again after a minute', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const tokenFile = join(directory, 'token');
  await writeFile(tokenFile, 'first');
  const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } };
  const connected = await connect(await kubeconfig(user));
  await connected.get(key, never);
  await writeFile(tokenFile, 'second');
  vi.setSystemTime(Date.now() + 61_000);
  await connected.get(key, never);
  expect(requests.map((request) => request.headers.authorization)).toEqual([
    'Bearer first',
    'Bearer second',
  ]);
});

it('takes the time of the server and moves it on by its own monotonic clock', async () => {
  const clock = new FakeClock();
  const connected = await connect(await kubeconfig({}), clock);
  expect(connected.serverTime()).toBeUndefined();
  answer = (response) => void response.setHeader('date', 'Thu, 01 Jan 2026 00:00:10 GMT').end(pod);
  await connected.get(key, never);
  clock.jumpWall(-3_600_000);
  await clock.advance(5_000);
  expect(serverNow(connected, clock.monotonicMilliseconds())).toBe(Date.UTC(2026, 0, 1, 0, 0, 15));
});

it('fails when there is no answer in time, and when the answer never ends', async () => {
  const clock = new FakeClock();
  const connected = await connect(await kubeconfig({}), clock);
  for (const hang of [() => {}, (response: ServerResponse) => void response.write('{')]) {
    answer = hang;
    const before = requests.length;
    const getting = connected.get(key, never).catch((error: unknown) => error);
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(before));
    await clock.advance(5_000);
    expect(await getting).toMatchObject({ kind: 'retry', reason: 'Timeout' });
  }
});

it('gets over a kept connection that the server closed, and reports a refused one', async () => {
  const connected = await connect(await kubeconfig({}));
  await connected.get(key, never);
  server.closeAllConnections();
  await connected.get(key, never);
  expect(requests).toHaveLength(2);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(connected.get(key, never)).rejects.toMatchObject({
    kind: 'retry',
    reason: 'ConnectionFailed',
  });
  server.listen(0, '127.0.0.1');
});

it('does not take any text for an object', async () => {
  const connected = await connect(await kubeconfig({}));
  for (const text of ['', 'welcome', '[]']) {
    answer = (response) => void response.end(text);
    await expect(connected.get(key, never)).rejects.toMatchObject({
      kind: 'retry',
      reason: 'BadAnswer',
    });
  }
});

it('fails a watch whose connection breaks, and one that is refused', async () => {
  const connected = await connect(await kubeconfig({}));
  const watch = async (): Promise<void> => {
    const request = { kind: kinds.pod, resourceVersion: '1', timeoutSeconds: 300 };
    for await (const event of connected.watch(request, never)) expect(event.type).toBe('BOOKMARK');
  };
  answer = (response) => {
    response.write('{"type":"BOOKMARK","object":{}}\n', () => response.destroy());
  };
  await expect(watch()).rejects.toMatchObject({ kind: 'retry', reason: 'ConnectionFailed' });
  answer = (response) => void response.writeHead(410).end('{"kind":"Status","reason":"Expired"}');
  await expect(watch()).rejects.toMatchObject({ kind: 'gone', reason: 'Expired' });
  answer = (response) => void response.end('{"type":"BOOKMARK","object":{}}\n');
  await watch();
  expect(requests.at(-1)?.url).toContain('allowWatchBookmarks=true');
});

it('passes on the warnings of the server', async () => {
  const warnings: string[] = [];
  answer = (response) => void response.setHeader('warning', '299 - "unknown field"').end(pod);
  kube = await connectKube({
    kubeconfigPath: await kubeconfig({}),
    requestTimeoutMilliseconds: 5_000,
    userAgent: 'cryopod-test/0',
    onWarning: (text) => void warnings.push(text),
  });
  await kube.get(key, never);
  expect(warnings).toEqual(['299 - "unknown field"']);
});

it('takes another context of the kubeconfig where it is told to, with its namespace', async () => {
  const kubeconfigPath = await kubeconfig({});
  const options = { kubeconfigPath, requestTimeoutMilliseconds: 5_000, userAgent: 'test/0' };
  kube = await connectKube(options);
  expect(kube.namespace).toBe('');
  kube.close();
  kube = await connectKube({ ...options, context: 'other' });
  expect(kube.namespace).toBe('team');
  await expect(connectKube({ ...options, context: 'none' })).rejects.toMatchObject({
    reason: 'NotConfigured',
    message: expect.stringContaining('no context none'),
  });
});

it('refuses to start without a server to talk to', async () => {
  const options = { requestTimeoutMilliseconds: 5_000, userAgent: 'cryopod-test/0' };
  const refusal = (path?: string): Promise<unknown> =>
    connectKube(path === undefined ? options : { ...options, kubeconfigPath: path }).catch(
      (error: unknown) => error,
    );
  vi.stubEnv('KUBECONFIG', '');
  vi.stubEnv('HOME', directory);
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '');
  expect(await refusal()).toMatchObject({ kind: 'terminal', reason: 'NotConfigured' });
  expect(await refusal(join(directory, 'absent'))).toMatchObject({ reason: 'NotConfigured' });
  await writeFile(join(directory, 'empty'), '{}');
  expect(await refusal(join(directory, 'empty'))).toMatchObject({ reason: 'NotConfigured' });
  const plain = await kubeconfig({}, { 'insecure-skip-tls-verify': false });
  expect(await refusal(plain)).toMatchObject({ reason: 'NotConfigured' });
});

it('finds its configuration through KUBECONFIG', async () => {
  vi.stubEnv('KUBECONFIG', await kubeconfig({}));
  kube = await connectKube({ requestTimeoutMilliseconds: 5_000, userAgent: 'cryopod-test/0' });
  await kube.get(key, never);
  expect(requests).toHaveLength(1);
});
