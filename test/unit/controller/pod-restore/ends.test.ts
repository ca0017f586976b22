import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { annotations } from '../../../../core/api/names.ts';
import { recordAt } from '../../../../runtime/raw-object.ts';
import {
  agentSays,
  conditionsOf,
  inShort,
  isCold,
  livePods,
  messageOf,
  restorePod,
  restoring,
  uidOf,
} from '../support/one-pod-restore.ts';

describe('a PodRestore with onFailure: ColdStart', () => {
  it('replaces the placeholder by a fresh pod when the restore fails, and says so everywhere', async () => {
    const world = await restoring({ onFailure: 'ColdStart', maxAttempts: 1 });
    const placeholder = uidOf(restorePod(world));
    await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 });
    await world.rest();
    const pod = restorePod(world);
    expect(uidOf(pod)).not.toBe(placeholder);
    expect(isCold(pod)).toBe(true);
    expect(recordAt(pod ?? {}, 'spec')).toMatchObject({ containers: [{ name: 'main' }] });
    expect(recordAt(recordAt(pod ?? {}, 'metadata'), 'annotations')).not.toHaveProperty([
      annotations.restoreFrom,
    ]);
    expect(world.podRestore('again')?.status).toMatchObject({
      phase: 'StartedCold',
      podUID: uidOf(pod),
    });
    expect(inShort(world)).toMatchObject({
      Restored: 'False/StartedCold',
      Ready: 'True/StartedCold',
      Failed: 'False/StartedCold',
    });
    expect(messageOf(world, 'Restored')).toContain('(RestoreFailed): CRIU says no');
    const told = world.events.filter(({ reason }) => reason === 'StartedCold');
    expect(told.map(({ regarding, type }) => `${type} ${regarding.kind}`)).toEqual([
      'Warning PodRestore',
      'Warning Pod',
    ]);
  });

  it('starts no pod cold whose command is not known any more: it was itself restored', async () => {
    const pod = {
      spec: {
        nodeName: 'node-a',
        containers: [{ name: 'main', image: 'sample', command: ['/snapshot-control/init'] }],
      },
    };
    const world = await restoring({ onFailure: 'ColdStart', maxAttempts: 1 }, pod);
    await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 });
    await world.rest();
    expect(inShort(world).Failed).toBe('True/RestoreFailed');
    expect(messageOf(world, 'Failed')).toContain('was itself restored');
    expect(livePods(world)).toEqual([]);
  });

  it('is Restored after all where that came before the placeholder could be removed', async () => {
    const world = await restoring({ onFailure: 'ColdStart', deadlineSeconds: 30 });
    world.kube.before = async ({ verb, kind }) => {
      if (verb !== 'delete' || kind !== 'Pod') return;
      world.kube.before = () => {};
      await agentSays(world, { reason: 'RestoreSucceeded' });
    };
    await world.pass(60);
    expect(inShort(world).Restored).toBe('True/RestoreSucceeded');
    expect(isCold(restorePod(world))).toBe(false);
  });
});

it('a placeholder that a former leader makes after the end is removed, and the end stays', async () => {
  const world = await restoring({ maxAttempts: 1 });
  const made = restorePod(world);
  await agentSays(world, { reason: 'RestoreFailed', message: 'CRIU says no', attempts: 1 });
  await world.rest();
  expect(restorePod(world)).toBeUndefined();
  const { labels, annotations: marks, name, namespace } = recordAt(made ?? {}, 'metadata');
  const metadata = { labels, annotations: marks, name, namespace };
  await world.create(kinds.pod, { metadata, spec: recordAt(made ?? {}, 'spec') });
  expect(restorePod(world)).toBeDefined();
  await world.rest();
  expect(restorePod(world)).toBeUndefined();
  expect(inShort(world).Failed).toBe('True/RestoreFailed');
});

describe('a PodRestore that is deleted', () => {
  it('before its pod is restored takes the pod along', async () => {
    const world = await restoring();
    await world.remove(kinds.podRestore, 'default', 'again');
    await world.rest();
    expect(restorePod(world)).toBeUndefined();
    expect(world.podRestore('again')).toBeUndefined();
  });

  it('afterwards leaves the pod alone, even when nobody has read yet that it is restored', async () => {
    const world = await restoring();
    await agentSays(world, { reason: 'RestoreSucceeded' });
    await world.remove(kinds.podRestore, 'default', 'again');
    await world.rest();
    expect(restorePod(world)).toBeDefined();
    expect(world.podRestore('again')).toBeUndefined();
    expect(conditionsOf(world)).toEqual([]);
  });

  it('in the middle of the deletion of its pod looks again when that is restored', async () => {
    const world = await restoring();
    await world.remove(kinds.podRestore, 'default', 'again');
    world.kube.before = async ({ verb, kind }) => {
      if (verb !== 'delete' || kind !== 'Pod') return;
      world.kube.before = () => {};
      await agentSays(world, { reason: 'RestoreSucceeded' });
    };
    await world.rest();
    await world.rest();
    expect(restorePod(world)).toBeDefined();
    expect(world.podRestore('again')).toBeUndefined();
  });
});
