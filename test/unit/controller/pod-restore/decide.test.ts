import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, rules } from '../../../../controller/pod-restore/decide.ts';
import {
  type ObservedPodRestore,
  podRestoreSteps,
} from '../../../../controller/pod-restore/observed.ts';
import { finalizers } from '../../../../core/api/names.ts';
import { observed } from '../support/pod-restore-observation.ts';

const always = (property: (one: ObservedPodRestore) => boolean): void =>
  fc.assert(fc.property(observed, property), { numRuns: 5_000 });

const reportOf = (one: ObservedPodRestore) =>
  decide(one).actions.flatMap((action) => (action.do === 'report' ? [action.report] : []))[0];
const does = (one: ObservedPodRestore, what: string): boolean =>
  decide(one).actions.some((action) => action.do === what);
describe('the rules for a PodRestore', () => {
  it('cover every step', () => {
    expect(Object.keys(rules).toSorted()).toEqual([...podRestoreSteps].toSorted());
  });

  it('are total, and give the same answer twice', () => {
    always((one) => {
      const first = JSON.stringify(decide(one));
      return JSON.stringify(decide(one)) === first;
    });
  });

  it('never write to one that has ended, nor touch the pod that it ended with', () => {
    always((one) => {
      if (one.step !== 'Settled') return true;
      const { phase, podUID } = one.restore.status;
      const isOnRecord =
        one.pod.state !== 'ours' ||
        (phase !== 'Failed' && one.pod.object.pod.metadata.uid === podUID);
      return decide(one).actions.every(({ do: what }) => what === 'deletePod' && !isOnRecord);
    });
  });

  it('create a pod only where the API server says that there is none of the name', () => {
    always((one) => !does(one, 'createPod') || one.pod.state === 'missing');
  });

  it('create no placeholder before the finalizer is there', () => {
    always(
      (one) =>
        one.step !== 'New' ||
        !does(one, 'createPod') ||
        one.restore.metadata.finalizers.includes(finalizers.restore),
    );
  });

  it('never delete a pod that is restored, was started cold, or is not ours', () => {
    always((one) => {
      if (!does(one, 'deletePod')) return true;
      return one.pod.state === 'ours' && !one.pod.object.restored && !one.pod.object.cold;
    });
  });

  it('delete a pod only once a verdict is on record, the PodRestore is deleted, or the pod has ended', () => {
    always((one) => {
      if (!does(one, 'deletePod') || one.step === 'Ending' || one.step === 'Deleting') return true;
      // One that another leader made afterwards.
      if (one.step === 'Settled') return true;
      return one.step === 'New' && one.pod.state === 'ours' && one.pod.object.over;
    });
  });

  it('say that a pod was started cold only where that was asked for, and the pod says it too', () => {
    always((one) => {
      if (reportOf(one)?.to !== 'StartedCold') return true;
      return one.step === 'Ending' && one.pod.state === 'ours' && one.pod.object.cold;
    });
  });

  it('make a pod that starts cold only where that was asked for', () => {
    always((one) => {
      if (one.step !== 'Ending' || !does(one, 'createPod')) return true;
      return one.restore.spec.onFailure === 'ColdStart';
    });
  });

  it('say Failed only where no pod of ours is left', () => {
    always((one) => {
      if (reportOf(one)?.to !== 'Failed' || one.pod.state !== 'ours') return true;
      // Deleted for good, on a node that does not answer.
      return one.pod.object.leaving && one.podOverdueMilliseconds > 0;
    });
  });

  it('let a pod that is restored win over every verdict and deadline', () => {
    always((one) => {
      if (one.step !== 'Placed' && one.step !== 'Ending') return true;
      if (one.pod.state !== 'ours' || !one.pod.object.restored) return true;
      return reportOf(one)?.to === 'Restored';
    });
  });

  it('come back by themselves to everything that waits', () => {
    always((one) => {
      const { actions, againAfterMilliseconds } = decide(one);
      const waits = actions.some(
        (action) =>
          action.do === 'deletePod' ||
          (action.do === 'report' && ['Waiting', 'Following', 'Ending'].includes(action.report.to)),
      );
      return !waits || againAfterMilliseconds !== undefined;
    });
  });

  it('wait for nothing beyond the deadline', () => {
    always((one) => {
      const waits = ['Waiting', 'Following'].includes(reportOf(one)?.to ?? '');
      const grace = one.pod.state === 'ours' && one.pod.object.over;
      return !waits || one.leftMilliseconds > 0 || grace;
    });
  });
});
