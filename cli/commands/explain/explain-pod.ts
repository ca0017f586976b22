import { randomUUID } from 'node:crypto';
import { kinds } from '../../../core/api/kinds.ts';
import { extensionApiVersion } from '../../../core/api/names.ts';
import {
  type PodSnapshotExplanation,
  parsePodSnapshotExplanation,
} from '../../../core/api/pod-snapshot-explanation.ts';
import { type Pod, parsePod } from '../../../core/api/workload.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import { Failure, isFailure } from '../../../core/failure.ts';
import type { Kube, ObjectKey, RawObject } from '../../../runtime/kube-port.ts';
import type { KubeSession } from '../../kube-session.ts';
import { structured } from '../../output.ts';
import { readNamed } from '../../read-object.ts';
import { type ExitCode, exitCodes } from '../../terminal.ts';
import { asText } from './answer-text.ts';

/** What is asked. No containers: all of them. */
export type Question = {
  readonly pod: string;
  readonly containers: readonly string[];
  readonly afterCapture: 'Resume' | 'Terminate';
  readonly tcp: 'Close' | 'Established' | 'Refuse';
  readonly waitMilliseconds: number;
};

const lookEveryMilliseconds = 250;
const removeWithinMilliseconds = 5000;

/** `explain`: asks the agent of the pod's node through the API server, prints its answer, and removes the question whatever happens. */
export async function explainPod(
  session: KubeSession,
  question: Question,
  output: 'table' | 'json' | 'yaml',
): Promise<ExitCode> {
  const { kube, namespace, terminal } = session;
  const { signal } = terminal;
  const pod = await readPod(session, question.pod);
  const asked = questionObject(pod, namespace, question);
  const key: ObjectKey = { kind: kinds.podSnapshotExplanation, namespace, name: asked.name };
  try {
    await kube.create(key.kind, asked.object, { dryRun: false }, signal);
    const answered = await waitForAnswer(kube, key, question.waitMilliseconds, signal);
    const { spec, status } = answered;
    const shown = { pod: `${namespace}/${spec.podRef.name}`, nodeName: spec.nodeName, ...status };
    terminal.output.write(
      output === 'table'
        ? asText(answered)
        : structured(output, { ...shown, containers: spec.podRef.containers }),
    );
    if (status.answer === 'Capturable') return exitCodes.done;
    return status.answer === 'Blocked' ? exitCodes.blocked : exitCodes.failed;
  } finally {
    await remove(kube, key);
  }
}

async function readPod(
  session: KubeSession,
  name: string,
): Promise<Pod & { readonly spec: { readonly nodeName: string } }> {
  const { object } = await readNamed(session, kinds.pod, name, parsePod);
  const { spec, ...rest } = object;
  const { nodeName } = spec;
  if (nodeName !== undefined) return { ...rest, spec: { ...spec, nodeName } };
  const message = `pod ${session.namespace}/${name} runs on no node yet`;
  throw new Failure('terminal', 'NotScheduled', message);
}

/** Goes with the pod at the latest: a node that is gone answers nothing and removes nothing. */
function questionObject(
  pod: Awaited<ReturnType<typeof readPod>>,
  namespace: string,
  { containers, afterCapture, tcp }: Question,
): { readonly name: string; readonly object: RawObject } {
  const name = `explain-${randomUUID()}`;
  const { uid, name: podName } = pod.metadata;
  const all = pod.spec.containers.map((container) => container.name);
  return {
    name,
    object: {
      apiVersion: extensionApiVersion,
      kind: 'PodSnapshotExplanation',
      metadata: {
        ...{ name, namespace },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: podName, uid }],
      },
      spec: {
        podRef: { name: podName, uid, containers: containers.length > 0 ? containers : all },
        nodeName: pod.spec.nodeName,
        ...{ afterCapture, tcp },
      },
    },
  };
}

async function waitForAnswer(
  kube: Kube,
  key: ObjectKey,
  waitMilliseconds: number,
  signal: AbortSignal,
): Promise<PodSnapshotExplanation> {
  const giveUpAt = systemClock.monotonicMilliseconds() + waitMilliseconds;
  for (;;) {
    const parsed = parsePodSnapshotExplanation(await kube.get(key, signal));
    if (!parsed.ok) throw new Failure('terminal', 'BadAnswer', parsed.message);
    if (parsed.value.status.answer !== undefined) return parsed.value;
    if (systemClock.monotonicMilliseconds() >= giveUpAt) {
      const { nodeName } = parsed.value.spec;
      const message = `the agent of node ${nodeName} did not answer within ${waitMilliseconds / 1000} s; see kubectl get pods -n cryopod-system -o wide`;
      throw new Failure('terminal', 'TookTooLong', message);
    }
    await sleep(systemClock, lookEveryMilliseconds, signal);
  }
}

/** Also after Ctrl-C, and when the create was not heard of: the agent removes what this cannot. */
async function remove(kube: Kube, key: ObjectKey): Promise<void> {
  try {
    await kube.delete(key, {}, AbortSignal.timeout(removeWithinMilliseconds));
  } catch (error) {
    if (!isFailure(error)) throw error;
  }
}
