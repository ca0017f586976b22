import { expect, it } from 'vitest';
import { planConnections } from '../../../../agent/restore/connections.ts';
import { fetchProgress } from '../../../../agent/restore/fetch-progress.ts';
import { reportedPod } from '../../../../agent/restore/reported-pod.ts';
import { type Pod, parsePod } from '../../../../core/api/workload.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function podAt(podIP: string | undefined) {
  const raw = { metadata: { name: 'pod', uid: 'u' }, spec: {}, status: podIP ? { podIP } : {} };
  const parsed = parsePod(raw);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

it.each([
  ['Close', '10.0.0.7', 'Close'],
  ['Refuse', '10.0.0.9', 'Keep'],
  ['Established', '10.0.0.7', 'Keep'],
  ['Established', '10.0.0.9', 'Close'],
  ['Established', undefined, 'Close'],
] as const)('connections of tcp %s in a pod at %s: %s', (tcp, address, connections) => {
  const artifact = { options: { tcp }, network: { podIPs: ['10.0.0.7'] } };
  expect(planConnections(artifact, podAt(address))).toMatchObject({ connections });
});

it('closed connections say which address was another one', () => {
  const artifact = { options: { tcp: 'Established' }, network: { podIPs: ['10.0.0.7'] } };
  expect(planConnections(artifact, podAt('10.0.0.9'))).toMatchObject({
    why: 'the address of the pod is 10.0.0.9 and was 10.0.0.7',
  });
});

it.each([
  ['an image that is named as the captured one', 'a:1', 'Close', 0],
  ['an image of another name', 'b:1', 'Close', 300],
  ['connections that were saved', 'a:1', 'Established', 300],
] as const)('with %s the kubelet is waited for only if needed', async (_, image, tcp, waited) => {
  const clock = new FakeClock();
  const podWith = (status: object): Pod => {
    const spec = { containers: [{ name: 'main', image }] };
    const parsed = parsePod({ metadata: { name: 'pod', uid: 'u' }, spec, status });
    if (!parsed.ok) throw new Error(parsed.message);
    return parsed.value;
  };
  const status = { name: 'main', imageID: 'sha256:aa' };
  const told = podWith({ podIP: '10.0.0.9', containerStatuses: [status] });
  const begun = clock.monotonicMilliseconds();
  const find = () => (clock.monotonicMilliseconds() >= begun + 300 ? told : podWith({}));
  const artifact = { containers: [{ name: 'main', image: 'a:1' }], options: { tcp } } as never;
  let ended: number | undefined;
  const never = new AbortController().signal;
  const waiting = reportedPod({ pod: find, clock }, podWith({}), artifact, never).then(() => {
    ended = clock.monotonicMilliseconds() - begun;
  });
  await clock.advance(20_000);
  await waiting;
  expect(ended).toBe(waited);
});

it('the progress of a fetch is told at most every two seconds and every fiftieth part', async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const onBytes = fetchProgress(clock, 100 * 2 ** 20, (message) => told.push(message));
  for (let mebibytes = 1; mebibytes <= 100; mebibytes += 1) {
    await clock.advance(500);
    onBytes(mebibytes * 2 ** 20);
  }
  expect(told).toHaveLength(25);
  expect(told[0]).toBe('fetching the artifact: 4.0 MiB of 100 MiB');
  const slow: string[] = [];
  const onSlowBytes = fetchProgress(clock, 1000, (message) => slow.push(message));
  for (let bytes = 1; bytes <= 100; bytes += 1) {
    await clock.advance(10_000);
    onSlowBytes(bytes);
  }
  expect(slow).toHaveLength(5);
});
