import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Blocker } from './backend.ts';

type Check = (spec: PodSnapshotContent['spec']) => string | undefined;

/** What an order may ask for but this version does not do: refused before anything is touched, never half-served. */
const checks: Readonly<Record<string, Check>> = {
  containers: ({ source }) => {
    const count = source.podRef?.containers.length ?? 0;
    return count > 0 ? undefined : 'no container was asked for';
  },
  afterCapture: ({ afterCapture }) =>
    afterCapture === 'Resume'
      ? undefined
      : `afterCapture: ${afterCapture} is not supported yet; only Resume is`,
  tcp: ({ tcp }) =>
    tcp === 'Close' ? undefined : `tcp: ${tcp} is not supported yet; only Close is`,
};

/** All reasons for which an order cannot be carried out as asked; empty when it can. Pure. */
export function checkRequest(spec: PodSnapshotContent['spec']): readonly Blocker[] {
  return Object.entries(checks).flatMap(([check, look]) => {
    const message = look(spec);
    return message === undefined ? [] : [{ check, message }];
  });
}
