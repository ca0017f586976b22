import { expect, test } from 'vitest';
import {
  findFiringProbes,
  findUnreachable,
  findVolumesLeftOut,
} from '../../../../agent/capture/pod-checks.ts';
import { type Pod, parsePod } from '../../../../core/api/workload.ts';

function pod(spec: object): Pod {
  const parsed = parsePod({ metadata: { name: 'p' }, spec });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

test.each([
  [{}, []],
  [{ hostNetwork: true, hostIPC: true }, []],
  [{ hostPID: true, hostIPC: true }, ['hostPID', 'hostIPC']],
  [{ shareProcessNamespace: true, hostPID: false }, ['shareProcessNamespace']],
])('of a pod with %j what hides its processes is %j', (spec, fields) => {
  const found = findUnreachable(pod(spec)).map(({ message }) => /uses (\w+)/.exec(message)?.[1]);
  expect(found).toEqual(fields);
});

const probed = (livenessProbe: object): Pod =>
  pod({ containers: [{ name: 'main', livenessProbe }, { name: 'other' }] });
const standard = { httpGet: { path: '/' }, periodSeconds: 10, failureThreshold: 3 };

/** The kubelet gives up at the third failure, 21 s after a freeze that began with a probe. */
test.each([
  ['an HTTP probe', standard, 20_999, 0],
  ['an HTTP probe', standard, 21_000, 1],
  ['a probe with the defaults left out', { exec: { command: ['x'] } }, 21_000, 1],
  ['a patient one', { ...standard, failureThreshold: 60 }, 500_000, 0],
  ['one that gives up at once', { ...standard, failureThreshold: 1 }, 1000, 1],
  ['a probe the kernel answers', { tcpSocket: { port: 1 } }, 1e9, 0],
])('%s within a freeze of %4$i ms', (_, probe, freezeMilliseconds, count) => {
  expect(findFiringProbes(probed(probe), ['main'], freezeMilliseconds)).toHaveLength(count);
  expect(findFiringProbes(probed(probe), ['other'], freezeMilliseconds)).toEqual([]);
});

test('what a probe is refused for names the container, both times and the remedy', () => {
  const [blocker] = findFiringProbes(probed(standard), ['main'], 65_000);
  expect(blocker?.message).toMatch(/container main .* 21.0 s .* 1 min 5 s; raise failureThreshold/);
});

test('volumes are left where they are, except emptyDirs', () => {
  const volumeMounts = [
    { name: 'cache', mountPath: '/cache' },
    { name: 'data', mountPath: '/data' },
    { name: 'token', mountPath: '/var/run/secrets' },
  ];
  const volumes = [
    { name: 'cache', emptyDir: {} },
    { name: 'data', persistentVolumeClaim: { claimName: 'x' } },
    { name: 'token', projected: {} },
  ];
  const made = pod({ containers: [{ name: 'main', volumeMounts }], volumes });
  expect(findVolumesLeftOut(made, ['main'])).toEqual([
    'main: persistentVolumeClaim data at /data',
    'main: projected token at /var/run/secrets',
  ]);
  expect(findVolumesLeftOut(made, ['other'])).toEqual([]);
});
