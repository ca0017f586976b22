import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { Blocker, CaptureRequest } from '../capture/backend.ts';
import type { Outlook } from '../capture/outlook.ts';
import { findFiringProbes, findVolumesLeftOut } from '../capture/pod-checks.ts';
import type { OrderDeps } from './deps.ts';

/** What a look at a running source says of capturing it. */
export type Look = {
  readonly blockers: readonly Blocker[];
  readonly estimatedBytes: number;
  readonly expectedFreezeMilliseconds: number;
  readonly outlook: Outlook;
  /** Volumes that stay where they are. */
  readonly notCaptured: readonly string[];
};

/** Everything that can be known without the freeze, for a capture and for an explanation alike. Changes nothing. */
export async function lookAtSource(
  deps: Pick<OrderDeps, 'backend' | 'freezeOutlook'>,
  pod: Pod,
  asked: Pick<PodSnapshotContent['spec'], 'afterCapture'>,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<Look> {
  const found = await deps.backend.preflight(request, signal);
  const { estimatedBytes } = found;
  const expectedFreezeMilliseconds = deps.freezeOutlook.expectedMilliseconds(
    estimatedBytes,
    asked.afterCapture,
  );
  const names = request.containers.map(({ name }) => name);
  return {
    ...found,
    expectedFreezeMilliseconds,
    notCaptured: findVolumesLeftOut(pod, names),
    blockers: [...found.blockers, ...findFiringProbes(pod, names, expectedFreezeMilliseconds)],
  };
}
