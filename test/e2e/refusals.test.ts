import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../core/api/conditions.ts';
import type { Bed } from '../bed/bed.ts';
import { findAgentPid } from './agent-pid.ts';
import { attachSharedBed, createNamespace, deleteNamespace, waitForEnd } from './cluster.ts';
import { explain, installObstacle, lastTickOf, obstaclePod } from './obstacles.ts';
import { snapshotOf } from './workloads.ts';

type Case = {
  readonly name: string;
  readonly words: readonly string[];
  readonly pod?: object;
  readonly container?: object;
  readonly check: string;
  readonly says: RegExp;
};

/** Runs a shell command before it. */
const after = (first: string, words: string): object => ({
  command: ['sh', '-c', `${first}; exec /fixtures/obstacle ${words}`],
});

const privileged = { securityContext: { privileged: true } };
/** Never asked in the test: only its patience counts. */
const impatient = {
  livenessProbe: {
    exec: { command: ['true'] },
    ...{ initialDelaySeconds: 3600, timeoutSeconds: 1, failureThreshold: 1 },
  },
};

const cases: readonly Case[] = [
  {
    name: 'io-uring',
    words: ['io_uring'],
    check: 'ioUring',
    says: /process \d+ \(obstacle\), descriptor 3 is an io_uring/,
  },
  {
    name: 'unix-socket',
    words: ['connect', '/fixtures/listener'],
    check: 'unixSockets',
    says: /descriptor 3: unix socket \/fixtures\/listener is connected to a process outside/,
  },
  {
    name: 'host-network',
    words: ['nothing'],
    pod: { hostNetwork: true },
    check: 'sharedNamespaces',
    says: /hostNetwork/,
  },
  {
    name: 'host-pid',
    words: ['nothing'],
    pod: { hostPID: true },
    check: 'sharedNamespaces',
    says: /hostPID/,
  },
  {
    name: 'traced',
    words: ['traced'],
    check: 'tracers',
    says: /process \d+ \(obstacle\) is traced by process \d+ \(obstacle\)/,
  },
  {
    name: 'device',
    words: ['open', '/dev/kmsg'],
    container: privileged,
    check: 'devices',
    says: /descriptor 3 is the device \/dev\/kmsg/,
  },
  {
    name: 'block-device',
    words: ['open', '/dev/disk'],
    container: { ...privileged, ...after('mknod /dev/disk b 7 0', 'open /dev/disk') },
    check: 'devices',
    says: /descriptor 3 is the block device \/dev\/disk \(7:0\)/,
  },
  {
    name: 'device-node',
    words: ['nothing'],
    container: { ...privileged, ...after('mknod /root-disk b 7 0', 'nothing') },
    check: 'writableLayer',
    says: /\/root-disk in the writable layer is a device node/,
  },
  {
    name: 'liveness-probe',
    // So much that no node freezes it within the second, however fast it was seen to dump.
    words: ['hold', '2048'],
    container: impatient,
    check: 'livenessProbe',
    says: /container main restarts it after 1\.0 s .* raise failureThreshold/,
  },
];

describe('what stands in the way of a capture', () => {
  let bed: Bed;
  let namespace: string;
  let node: string;
  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'refusals');
    node = bed.nodes[0] ?? '';
    await installObstacle(bed, node);
    const place = { namespace, nodeName: node };
    const listener = { ...place, name: 'listener', words: ['listen', '/fixtures/listener'] };
    await Promise.all([
      bed.apply(obstaclePod(listener)),
      bed.apply(obstaclePod({ ...place, name: 'plain', words: ['nothing'] })),
      ...cases.map((one) => bed.apply(obstaclePod({ ...place, ...one }))),
    ]);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const ticking = (pod: string, after: number): Promise<number> =>
    bed.waitFor(
      `${pod} to tick`,
      async () => {
        const tick = await lastTickOf(bed, namespace, pod);
        return tick > after ? tick : undefined;
      },
      60_000,
    );

  const refusal = async (pod: string): Promise<string> => {
    await bed.apply(snapshotOf({ name: pod, namespace, pod }));
    const ended = await waitForEnd(bed, namespace, pod, 60_000);
    const failed = findCondition(ended.status.conditions, 'Failed');
    expect(failed?.reason, JSON.stringify(ended.status)).toBe('PreflightFailed');
    expect(ended.status.sourceState).toBe('Untouched');
    return failed?.message ?? '';
  };

  it('nothing does for a plain pod, and an explanation says what would be taken', async () => {
    await ticking('plain', 0);
    const { code, answer, complaints } = await explain(bed, ['pod/plain', '-n', namespace]);
    expect(code, complaints).toBe(0);
    expect(answer).toMatchObject({ answer: 'Capturable', blockers: [], nodeName: node });
    expect(answer.estimatedBytes).toBeGreaterThan(0);
    expect(answer.notCaptured).toContain('main: hostPath fixtures at /fixtures');
    const left = await bed.kubectl(['get', 'podexplain', '-n', namespace, '-o', 'name']);
    expect(left).toBe('');
  });

  it.each(cases)('$name: refused in plain words, explained in the same', async (one) => {
    const before = await ticking(one.name, 0);
    const { code, answer, complaints } = await explain(bed, [`pod/${one.name}`, '-n', namespace]);
    expect(code, complaints).toBe(6);
    const message = await refusal(one.name);
    expect(message).toMatch(one.says);
    expect(answer.blockers.map(({ check }: { check: string }) => check)).toEqual([one.check]);
    expect(message).toContain(answer.blockers[0].message);
    await ticking(one.name, before + 2);
  });

  it('too little space: refused with both numbers, explained in the same words', async () => {
    const inAgent = async (command: string): Promise<void> => {
      const script = `pid=$(${findAgentPid}); nsenter -t $pid -m ${command}`;
      const done = await bed.node(node).exec(['sh', '-c', script]);
      expect(done.exitCode, done.stderr).toBe(0);
    };
    await inAgent('mount -t tmpfs -o size=64k none /var/lib/cryopod-store');
    try {
      const { code, answer, complaints } = await explain(bed, ['pod/plain', '-n', namespace]);
      expect(code, complaints).toBe(6);
      const message = await refusal('plain');
      expect(message).toMatch(/store \/var\/lib\/cryopod-store has [\d.]+ KiB free, .* may need/);
      expect(answer.blockers.map(({ check }: { check: string }) => check)).toEqual(['room']);
    } finally {
      await inAgent('umount /var/lib/cryopod-store');
    }
    await ticking('plain', await lastTickOf(bed, namespace, 'plain'));
  });
});
