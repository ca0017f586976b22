import { describe, expect, it } from 'vitest';
import { claimOf } from '../../../../agent/restore/claim.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { annotations, labels } from '../../../../core/api/names.ts';
import { parsePod } from '../../../../core/api/workload.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { MemoryKube } from '../../../support/memory-kube.ts';

const never = new AbortController().signal;

/** A PodRestore, and a pod that says it was made by it. */
async function world() {
  const kube = new MemoryKube();
  const made = await kube.create(
    kinds.podRestore,
    {
      apiVersion: 'cryopod.dev/v1alpha1',
      kind: 'PodRestore',
      metadata: { name: 'again', namespace: 'default' },
      spec: { snapshotName: 'snap' },
    },
    { dryRun: false },
    never,
  );
  const key = { kind: kinds.podRestore, namespace: 'default', name: 'again' };
  const owner = (made.metadata as { readonly uid: string }).uid;
  const metadata = {
    ...{ name: 'again', namespace: 'default', uid: 'pod-1' },
    labels: { [labels.restoreUID]: owner },
    annotations: { [annotations.restoreName]: 'again' },
  };
  return {
    kube,
    says: (status: RawObject) =>
      kube.patch(key, 'status', { type: 'merge', body: { status } }, never),
    remove: () => kube.delete(key, {}, never),
    ask: async (change: RawObject = {}, restarts = 0) => {
      const pod = parsePod({ metadata: { ...metadata, ...change }, spec: {} });
      if (!pod.ok) throw new Error(pod.message);
      const obstacle = await claimOf(kube, pod.value, restarts, never);
      return obstacle === undefined ? 'claimed' : `${obstacle.state}: ${obstacle.message}`;
    },
  };
}
const verdict = (reason: string) => ({
  conditions: [
    { ...{ type: 'Restored', status: 'False', reason, message: '' }, lastTransitionTime: '' },
  ],
});

describe('the pod of a PodRestore', () => {
  it('is restored into when it is the one on record, and not before', async () => {
    const { ask, says } = await world();
    expect(await ask()).toBe('pending: PodRestore again has not recorded the pod yet');
    await says({ podUID: 'pod-1' });
    expect(await ask()).toBe('claimed');
  });

  it('is none any more where another one is on record', async () => {
    const { ask, says } = await world();
    await says({ podUID: 'pod-0', phase: 'Restored' });
    expect(await ask()).toContain('unusable: PodRestore again has another pod on record');
    expect(await ask({}, 1)).toContain('unusable: PodRestore again has another pod on record');
  });

  it('is left alone once the restore has a verdict', async () => {
    const { ask, says } = await world();
    await says({ ...verdict('DeadlineExceeded'), podUID: 'pod-1' });
    expect(await ask()).toBe('unusable: PodRestore again has ended (DeadlineExceeded)');
    await says({ phase: 'Failed' });
    expect(await ask({}, 1)).toBe('unusable: PodRestore again has ended (DeadlineExceeded)');
  });

  it('outlives it, and what is started again in it is restored again', async () => {
    const { ask, says, remove } = await world();
    await says({ podUID: 'pod-1', phase: 'Restored' });
    expect(await ask({}, 1)).toBe('claimed');
    await remove();
    expect(await ask({}, 1)).toBe('claimed');
    expect(await ask()).toContain('unusable: PodRestore again is gone');
  });

  it('that names another one of the same name, or none, is not restored into', async () => {
    const { ask, says } = await world();
    await says({ podUID: 'pod-1' });
    expect(await ask({ labels: { [labels.restoreUID]: 'restore-0' } })).toContain('is another one');
    expect(await ask({ annotations: {} })).toContain('is gone');
  });

  it('is not asked about where none made it', async () => {
    const { ask, kube } = await world();
    kube.before = () => {
      throw new Error('asked');
    };
    expect(await ask({ labels: {} })).toBe('claimed');
  });

  it('is not restored into where the answer is an error', async () => {
    const { ask, kube } = await world();
    kube.before = () => {
      throw new Error('not now');
    };
    await expect(ask()).rejects.toThrow('not now');
  });
});
