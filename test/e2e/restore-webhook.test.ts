import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import * as z from 'zod';
import type { Bed } from '../bed/bed.ts';
import {
  attachSharedBed,
  createNamespace,
  deleteNamespace,
  firstTick,
  lastTick,
  logsOf,
  type Tick,
  waitForEnd,
  waitForTick,
} from './cluster.ts';
import { snapshotOf } from './workloads.ts';

/** A workload that knows nothing of snapshots. */
const template = {
  terminationGracePeriodSeconds: 1,
  containers: [
    {
      name: 'main',
      image: 'cryopod.dev/sample-counter:dev',
      imagePullPolicy: 'Never',
      env: [
        { name: 'MEMORY_MEBIBYTES', value: '32' },
        { name: 'KEEP_RUNNING', value: '1' },
      ],
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    },
  ],
};

describe('a Deployment whose pods are annotated with a snapshot', () => {
  let bed: Bed;
  let namespace: string;
  let captured: Tick;

  beforeAll(async () => {
    bed = await attachSharedBed();
    namespace = await createNamespace(bed, 'restore-webhook');
    const metadata = { name: 'source', namespace };
    await bed.apply(stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: template }));
    await waitForTick(bed, namespace, 'source');
    await bed.apply(snapshotOf({ name: 'snapshot', namespace, pod: 'source' }));
    const { status } = await waitForEnd(bed, namespace, 'snapshot', 60_000);
    expect(status.stage, JSON.stringify(status)).toBe('Captured');
    const tick = lastTick(await logsOf(bed, namespace, 'source'));
    if (tick === undefined) throw new Error('the source is silent');
    captured = tick;
    await bed.kubectl(['delete', 'pod', 'source', '-n', namespace]);
  });
  afterAll(() => deleteNamespace(bed, namespace));

  const podNames = async (): Promise<readonly string[]> => {
    const query = ['get', 'pods', '-n', namespace, '-l', 'app=counter', '-o', 'json'];
    const list = z.object({
      items: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
    });
    return list
      .parse(JSON.parse(await bed.kubectl(query)))
      .items.map(({ metadata }) => metadata.name);
  };
  /** Returns once as many pods as wanted are Ready, which a pod is only with its state. */
  const available = async (replicas: number): Promise<readonly string[]> => {
    const wait = `--for=jsonpath={.status.readyReplicas}=${replicas}`;
    await bed.kubectl(['wait', 'deployment/counter', '-n', namespace, wait, '--timeout=120s']);
    return podNames();
  };
  const expectToGoOn = async (pod: string): Promise<void> => {
    await waitForTick(bed, namespace, pod);
    const first = firstTick(await logsOf(bed, namespace, pod));
    expect(first?.token).toBe(captured.token);
    expect(first?.count).toBeGreaterThan(0);
    expect(first?.count).toBeLessThanOrEqual(captured.count + 1);
  };

  it('runs on from it, and so does each pod that it is scaled by', async () => {
    const metadata = {
      labels: { app: 'counter' },
      annotations: { 'nvidia.com/restore-from': 'snapshot' },
    };
    const spec = {
      replicas: 1,
      selector: { matchLabels: { app: 'counter' } },
      template: { metadata, spec: template },
    };
    const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', spec };
    await bed.apply(stringify({ ...deployment, metadata: { name: 'counter', namespace } }));
    const [first = ''] = await available(1);
    await expectToGoOn(first);
    await bed.kubectl(['scale', 'deployment/counter', '-n', namespace, '--replicas=2']);
    const both = await available(2);
    expect(both).toHaveLength(2);
    for (const pod of both) await expectToGoOn(pod);
  });

  it('has the reason in its own events when the snapshot is no more', async () => {
    await bed.kubectl(['delete', 'podsnapshot', 'snapshot', '-n', namespace]);
    await bed.kubectl(['scale', 'deployment/counter', '-n', namespace, '--replicas=3']);
    const query = ['get', 'events', '-n', namespace, '--field-selector=reason=FailedCreate'];
    await bed.waitFor(
      'the ReplicaSet to say why',
      async () => {
        const said = await bed.kubectl([...query, '-o', 'jsonpath={.items[*].message}']);
        return said.includes('PodSnapshot snapshot does not exist') ? true : undefined;
      },
      60_000,
    );
    expect(await podNames()).toHaveLength(2);
  });
});
