import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import type { Bed } from '../bed/bed.ts';
import { testWorkloadsImage } from '../bed/images/build.ts';
import { claimDirectory, makeClaim, removeClaim } from '../e2e/claim.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  logsOf,
  waitForEnd,
} from '../e2e/cluster.ts';
import { placeholderOf, waitForRestored } from '../e2e/placeholder.ts';
import { testWorkloads } from '../e2e/self-checking.ts';
import { snapshotOf } from '../e2e/workloads.ts';

/** What test/fixtures/workloads/identity.py says. */
const saidSchema = z.object({
  number: z.number(),
  pid: z.number(),
  hostname: z.string(),
  address: z.string(),
  environmentAddress: z.string(),
  hosts: z.array(z.string()),
  token: z.string(),
  clocks: z.tuple([z.number(), z.number(), z.number()]),
  generator: z.number(),
  kernel: z.string(),
  restored: z.string(),
  events: z.array(z.string()),
  listens: z.boolean(),
  connection: z.string(),
  files: z.record(z.string(), z.boolean()),
});
type Said = z.infer<typeof saidSchema>;

const allFiles = { '/data/open': true, '/claim/open': true, '/dev/shm/open': true };
const identityPattern = /^generation=([0-9a-f]{32})\nseed=([0-9a-f]{64})\n$/;

/** docs/identity.md, row by row. */
describe('of one snapshot, restored twice,', () => {
  let bed: Bed;
  let namespace: string;
  let before: Said;
  let copies: readonly (readonly Said[])[];
  const names = ['copy-a', 'copy-b'] as const;
  const addresses = new Map<string, string>();

  const saidBy = async (pod: string): Promise<readonly Said[]> => {
    const lines = (await logsOf(bed, namespace, pod).catch(() => '')).split('\n');
    const whole = lines.slice(0, -1);
    const wrong = whole.find((line) => !line.startsWith('{'));
    if (wrong !== undefined) throw new Error(whole.join('\n'));
    return whole.map((line) => saidSchema.parse(JSON.parse(line)));
  };
  const waitForLines = (pod: string, count: number): Promise<readonly Said[]> =>
    bed.waitFor(
      `${pod} to say who it is`,
      async () => {
        const said = await saidBy(pod);
        return said.length >= count ? said : undefined;
      },
      60_000,
    );
  const manifest = (): string => {
    const volume = (name: string, mountPath: string) => ({ name, mountPath });
    return stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'source', namespace },
      spec: {
        nodeName: 'node-a',
        terminationGracePeriodSeconds: 1,
        restartPolicy: 'Never',
        volumes: [
          { name: 'snapshot-control', emptyDir: {} },
          { name: 'data', emptyDir: {} },
          { name: 'claim', persistentVolumeClaim: { claimName: 'claim' } },
        ],
        containers: [
          {
            name: 'main',
            image: testWorkloads,
            imagePullPolicy: 'Never',
            command: ['python3', '/app/identity.py'],
            env: [
              { name: 'SNAPSHOT_CONTROL_DIR', value: '/snapshot-control' },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            ],
            volumeMounts: [
              { ...volume('snapshot-control', '/snapshot-control'), subPath: 'main' },
              volume('data', '/data'),
              volume('claim', '/claim'),
            ],
          },
        ],
      },
    });
  };
  beforeAll(async () => {
    bed = await attachSharedBed();
    const log = (line: string): void => console.log(line);
    await bed.load((await testWorkloadsImage({ log })).archive);
    namespace = await createNamespace(bed, 'identity');
    await makeClaim(bed, namespace, 'node-a');
    await bed.apply(manifest());
    await waitForLines('source', 3);
    const last = (await saidBy('source')).at(-1);
    if (last === undefined) throw new Error('the source is silent');
    before = last;
    // A claim is not captured: only a source that never goes on leaves it as the snapshot knows it.
    const extra = { afterCapture: 'Terminate' };
    await bed.apply(snapshotOf({ name: 'source', namespace, pod: 'source', extra }));
    const { status } = await waitForEnd(bed, namespace, 'source', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const gone = ['wait', 'pod/source', '-n', namespace, '--for=delete', '--timeout=60s'];
    await bed.kubectl(gone);
    // Stands for storage that both nodes reach.
    const [a = '', b = ''] = ['node-a', 'node-b'].map((node) =>
      join(bed.node(node).rootPath, claimDirectory(namespace)),
    );
    await cp(a, b, { recursive: true });
    for (const [index, name] of names.entries()) {
      const nodeName = ['node-a', 'node-b'][index] ?? '';
      await bed.apply(placeholderOf(manifest(), { name, snapshot: 'source', nodeName }));
    }
    for (const name of names) await waitForRestored(bed, namespace, name);
    copies = await Promise.all(names.map((name) => waitForLines(name, 5)));
    for (const name of names) {
      const path = '{.status.podIP}';
      addresses.set(
        name,
        await bed.kubectl(['get', 'pod', name, '-n', namespace, `-ojsonpath=${path}`]),
      );
    }
  });
  afterAll(async () => {
    await removeClaim(bed, namespace);
    await deleteNamespace(bed, namespace);
  });

  const each = (check: (said: Said, name: string) => void): void => {
    for (const [index, copy] of copies.entries()) {
      for (const said of copy) check(said, names[index] ?? '');
    }
  };

  it('each has the name, the address and the service account token of its own pod', () => {
    each((said, name) => {
      expect(said.hostname).toBe(name);
      expect(said.address).toBe(addresses.get(name));
      expect(said.hosts).toEqual([addresses.get(name), name]);
      expect(said.token).toBe(name);
    });
  });

  it('each has the environment and the process numbers of the source', () => {
    each((said) => {
      expect(said.environmentAddress).toBe(before.address);
      expect(said.pid).toBe(before.pid);
    });
  });

  it('real time is the node’s, the other clocks do not count the time in between', () => {
    for (const [first] of copies) {
      const [real = 0, monotonic = 0, boot = 0] = (first?.clocks ?? []).map(
        (seconds, clock) => seconds - (before.clocks[clock] ?? 0),
      );
      expect(monotonic).toBeGreaterThan(0);
      expect(real).toBeGreaterThan(monotonic + 1);
      expect(Math.abs(boot - monotonic)).toBeLessThan(0.1);
    }
  });

  it('the kernel gives each other random numbers, a generator of the program the same', () => {
    const [a = [], b = []] = copies;
    const common = Math.min(a.length, b.length);
    expect(a.slice(0, common).map((said) => said.generator)).toEqual(
      b.slice(0, common).map((said) => said.generator),
    );
    const drawn = [...a, ...b].map((said) => said.kernel);
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it('each finds from its first instruction what is new in it, and sees that it was restored', () => {
    const found = copies.map((copy) => identityPattern.exec(copy[0]?.restored ?? ''));
    for (const match of found) expect(match).not.toBeNull();
    expect(found[0]?.[1]).not.toBe(found[1]?.[1]);
    expect(found[0]?.[2]).not.toBe(found[1]?.[2]);
    for (const copy of copies) {
      expect(copy.at(-1)?.events).toContain('restore-complete');
      expect(copy.at(-1)?.restored).toBe(copy[0]?.restored);
    }
  });

  it('each listens again, and its connections are closed', () => {
    expect(before.connection).toBe('open');
    each((said) => {
      expect(said.listens).toBe(true);
      expect(said.connection).not.toBe('open');
    });
  });

  it('each has its open files, on emptyDir, claim and /dev/shm', () => {
    each((said) => expect(said.files).toEqual(allFiles));
  });
});
