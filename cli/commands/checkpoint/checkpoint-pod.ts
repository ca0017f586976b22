import { kinds } from '../../../core/api/kinds.ts';
import { apiVersion } from '../../../core/api/names.ts';
import { type Pod, parsePod } from '../../../core/api/workload.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { closeNames } from '../../close-names.ts';
import { RemediedFailure, usageFailure } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { readNamed } from '../../read-object.ts';
import { type Creating, createRequest, suffixed } from '../../request/create-request.ts';
import type { RequestView } from '../../request/view.ts';
import type { ExitCode } from '../../terminal.ts';

/** What a user wants captured, and how. No containers: all of them. */
export type CheckpointWish = {
  readonly pod: string;
  readonly name?: string;
  readonly containers: readonly string[];
  readonly afterCapture: 'Resume' | 'Terminate';
  readonly tcp: 'Close' | 'Established' | 'Refuse';
  /** Seconds, as the following one. */
  readonly deadline: number;
  readonly freezeBudget?: number;
  readonly deletionPolicy: 'Delete' | 'Retain';
  readonly waitForReady: boolean;
};

/** `checkpoint`: a PodSnapshot of the very pod that has the name now. */
export async function checkpointPod(
  session: KubeSession,
  wish: CheckpointWish,
  creating: Omit<Creating, 'isSuccess' | 'successText'>,
): Promise<ExitCode> {
  const { object: pod } = await readNamed(session, kinds.pod, wish.pod, parsePod);
  const snapshot = snapshotOf(pod, session.namespace, wish);
  return createRequest(session, 'snapshot', snapshot, {
    ...creating,
    isSuccess: ({ standing }) => standing.end === 'succeeded',
    successText: capturedText,
  });
}

/** The manifest: what is not wished for is left to the defaults of the API. Pure but for the suffix of the name. */
export function snapshotOf(pod: Pod, namespace: string, wish: CheckpointWish): RawObject {
  const { name, uid } = pod.metadata;
  return {
    apiVersion,
    kind: 'PodSnapshot',
    metadata: { name: wish.name ?? suffixed(name), namespace },
    spec: {
      source: { podRef: { name, uid, containers: containersOf(pod, wish.containers) } },
      afterCapture: wish.afterCapture,
      tcp: wish.tcp,
      deadlineSeconds: wish.deadline,
      ...(wish.freezeBudget === undefined ? {} : { freezeBudgetSeconds: wish.freezeBudget }),
      deletionPolicy: wish.deletionPolicy,
      waitForReady: wish.waitForReady,
    },
  };
}

function containersOf(pod: Pod, wanted: readonly string[]): readonly string[] {
  const names = pod.spec.containers.map(({ name }) => name);
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown === undefined) return wanted.length > 0 ? [...new Set(wanted)] : names;
  const failure = usageFailure(`pod ${pod.metadata.name} has no container ${unknown}`);
  const close = closeNames(unknown, names);
  throw new RemediedFailure(failure, `It has ${(close.length > 0 ? close : names).join(', ')}.`);
}

/** `ready: 512 MiB, frozen 1.0 s`. */
function capturedText({ bytes, milliseconds }: RequestView): string {
  const figures = [
    ...(bytes === undefined ? [] : [formatBytes(bytes)]),
    ...(milliseconds === undefined ? [] : [`frozen ${formatMilliseconds(milliseconds)}`]),
  ];
  return figures.length === 0 ? 'ready' : `ready: ${figures.join(', ')}`;
}
