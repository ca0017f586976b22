import fc from 'fast-check';
import {
  type ObservedPodRestore,
  podRestoreSteps,
  type RestoredPod,
} from '../../../../controller/pod-restore/observed.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { finalizers } from '../../../../core/api/names.ts';
import { type PodRestore, parsePodRestore } from '../../../../core/api/pod-restore.ts';
import { parsePod } from '../../../../core/api/workload.ts';
import { podRestoreManifest } from './one-pod-restore.ts';

function made<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const pod = made(parsePod({ metadata: { name: 'again', uid: 'pod-1' }, spec: {} }));
/** The same pod on a node. */
export const podOnNode = made(
  parsePod({ metadata: { name: 'again', uid: 'pod-1' }, spec: { nodeName: 'node-b' } }),
);

/** The pod of the PodRestore, as it says. */
export const viewed = (change: Partial<RestoredPod> = {}) => ({
  state: 'ours' as const,
  object: {
    pod,
    ...{ leaving: false, cold: false, restored: false, over: false },
    ...{ reason: '', message: '', progress: undefined, attemptsBefore: 0 },
    ...change,
  },
});

/** One with a verdict on record. */
export const restoreWith = (
  spec: object,
  finalizer: boolean,
  phase?: string,
  podUID?: string,
): PodRestore => {
  const manifest = podRestoreManifest('again', { maxAttempts: 2, ...spec });
  const held = finalizer ? [finalizers.restore] : [];
  return made(
    parsePodRestore({
      metadata: { name: 'again', namespace: 'default', uid: 'restore-1', finalizers: held },
      spec: manifest.spec,
      status: {
        ...(phase === undefined ? {} : { phase }),
        ...(podUID === undefined ? {} : { podUID }),
        conditions: [
          { type: 'Restored', status: 'False', reason: 'RestoreFailed', message: 'CRIU says no' },
        ],
      },
    }),
  );
};

export const plan = (nowhere: string | undefined) => ({
  state: 'made' as const,
  pod: {},
  candidates: [],
  nowhere,
});

/** Anything that could be observed, and some that could not. */
export const observed: fc.Arbitrary<ObservedPodRestore> = fc.record({
  step: fc.constantFrom(...podRestoreSteps),
  restore: fc.constantFrom(
    restoreWith({}, true),
    restoreWith({}, false),
    restoreWith({ onFailure: 'ColdStart' }, true),
    restoreWith({}, true, 'Restored'),
    restoreWith({}, true, 'Restored', 'pod-1'),
    restoreWith({}, true, 'Failed', 'pod-1'),
    restoreWith({}, true, 'StartedCold'),
  ),
  podName: fc.constant('again'),
  snapshot: fc.constantFrom<ObservedPodRestore['snapshot']>(
    { state: 'unread' },
    { state: 'replaced' },
    { state: 'missing', message: 'not there' },
    { state: 'pending', message: 'not yet' },
    { state: 'failed', message: 'no' },
    { state: 'ready', uid: 'snapshot-1', contentName: 'content-1' },
  ),
  plan: fc.constantFrom<ObservedPodRestore['plan']>(
    { state: 'unread' },
    { state: 'impossible', verdict: { reason: 'InvalidSpec', message: 'no' } },
    plan(undefined),
    plan('No node can take it.'),
  ),
  pod: fc.constantFrom<ObservedPodRestore['pod']>(
    { state: 'unread' },
    { state: 'missing' },
    { state: 'foreign', name: 'again', leaving: true },
    { state: 'foreign', name: 'again', leaving: false },
    viewed(),
    viewed({ leaving: true }),
    viewed({ cold: true }),
    viewed({ restored: true }),
    viewed({ over: true }),
    viewed({ over: true, attemptsBefore: 1 }),
    viewed({ reason: 'RestoreInProgress', progress: { attempts: 2 } }),
    viewed({ reason: 'RestoreFailed', progress: { attempts: 1 } }),
    viewed({ reason: 'RestoreFailed', progress: { attempts: 2 } }),
    viewed({ reason: 'RestoreIncompatible' }),
  ),
  leftMilliseconds: fc.constantFrom(-9e12, -1, 500, 9e12),
  podAgeMilliseconds: fc.constantFrom(0, 20_000),
  sincePodOverMilliseconds: fc.constantFrom(0, 20_000),
  podOverdueMilliseconds: fc.constantFrom(0, 400_000),
  rejection: fc.constantFrom(undefined, 'no such field'),
  quota: fc.constantFrom(undefined, 'exceeded quota'),
});

/** New, with all there that it takes. */
export const base: ObservedPodRestore = {
  ...{ step: 'New', restore: restoreWith({}, true), podName: 'again' },
  snapshot: { state: 'ready', uid: 'snapshot-1', contentName: 'content-1' },
  ...{ plan: plan(undefined), pod: { state: 'missing' }, leftMilliseconds: 9e6 },
  ...{ podAgeMilliseconds: 0, sincePodOverMilliseconds: 0, podOverdueMilliseconds: 0 },
  ...{ rejection: undefined, quota: undefined },
};
