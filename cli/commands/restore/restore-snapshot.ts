import { kinds } from '../../../core/api/kinds.ts';
import { extensionApiVersion } from '../../../core/api/names.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { Failure } from '../../../core/failure.ts';
import { formatMilliseconds } from '../../../core/units.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import { RemediedFailure } from '../../complaint.ts';
import type { KubeSession } from '../../kube-session.ts';
import { readNamed } from '../../read-object.ts';
import { type Creating, createRequest, suffixed } from '../../request/create-request.ts';
import { standingOfSnapshot } from '../../request/standing.ts';
import type { RequestView } from '../../request/view.ts';
import type { ExitCode } from '../../terminal.ts';

/** Something that one container of the new pod gets. */
export type ContainerValue = {
  readonly container: string;
  readonly name: string;
  readonly value: string;
};

type Values = Readonly<Record<string, string>>;

/** What a user wants restored, where and how. */
export type RestoreWish = {
  readonly snapshot: string;
  readonly name?: string;
  readonly podName?: string;
  readonly toNode?: string;
  readonly nodeSelector: Values;
  readonly label: Values;
  readonly annotation: Values;
  readonly env: readonly ContainerValue[];
  readonly request: readonly ContainerValue[];
  readonly limit: readonly ContainerValue[];
  /** Seconds. */
  readonly deadline: number;
  readonly maxAttempts: number;
  readonly coldStart: boolean;
};

/** `restore`: a PodRestore of a snapshot that is there and has not failed; one that is not Ready yet is waited for by the controller. */
export async function restoreSnapshot(
  session: KubeSession,
  wish: RestoreWish,
  creating: Omit<Creating, 'isSuccess' | 'successText'>,
): Promise<ExitCode> {
  const { object } = await readNamed(session, kinds.podSnapshot, wish.snapshot, parsePodSnapshot);
  const { end, state, reason, message } = standingOfSnapshot(object);
  if (end === 'failed') {
    const text = `snapshot ${wish.snapshot} is ${state} (${reason}): ${message}`;
    const remedy = `There is nothing to restore: cryopod describe snapshot/${wish.snapshot}.`;
    throw new RemediedFailure(new Failure('terminal', reason, text), remedy);
  }
  return createRequest(session, 'restore', restoreOf(session.namespace, wish), {
    ...creating,
    isSuccess: (view) =>
      view.standing.end === 'succeeded' || (wish.coldStart && view.standing.end === 'cold'),
    successText: (view) => {
      if (view.standing.end === 'cold') warnOfColdStart(session, view);
      return restoredText(view);
    },
  });
}

/** The manifest: what is not wished for is left to the defaults of the API. Pure but for the suffix of the name. */
export function restoreOf(namespace: string, wish: RestoreWish): RawObject {
  const nodeSelector = {
    ...wish.nodeSelector,
    ...(wish.toNode === undefined ? {} : { 'kubernetes.io/hostname': wish.toNode }),
  };
  const resources = resourcesOf(wish);
  const overrides = {
    ...some('labels', wish.label),
    ...some('annotations', wish.annotation),
    ...some('env', wish.env),
    ...some('resources', resources),
  };
  return {
    apiVersion: extensionApiVersion,
    kind: 'PodRestore',
    metadata: { name: wish.name ?? suffixed(wish.snapshot), namespace },
    spec: {
      snapshotName: wish.snapshot,
      ...(wish.podName === undefined ? {} : { podName: wish.podName }),
      ...some('nodeSelector', nodeSelector),
      ...some('overrides', overrides),
      deadlineSeconds: wish.deadline,
      maxAttempts: wish.maxAttempts,
      onFailure: wish.coldStart ? 'ColdStart' : 'Fail',
    },
  };
}

/** A field, unless there is nothing in it. */
const some = (field: string, value: object): RawObject =>
  Object.keys(value).length === 0 ? {} : { [field]: value };

/** One entry a container, as the API holds them. */
function resourcesOf({ request, limit }: RestoreWish): readonly RawObject[] {
  const containers = new Set([...request, ...limit].map(({ container }) => container));
  const of = (container: string, values: readonly ContainerValue[]): Values =>
    Object.fromEntries(
      values.filter((one) => one.container === container).map(({ name, value }) => [name, value]),
    );
  return [...containers].map((container) => ({
    container,
    ...some('requests', of(container, request)),
    ...some('limits', of(container, limit)),
  }));
}

function warnOfColdStart({ terminal }: KubeSession, { metadata, standing }: RequestView): void {
  terminal.errors.write(
    `restore ${metadata.name} started the pod cold, without its state: ${standing.message}\n`,
  );
}

/** `restored as pod/web-x2k4p on node-b in 0.4 s`. */
function restoredText({ to, node, milliseconds, standing }: RequestView): string {
  const took = milliseconds === undefined ? '' : ` in ${formatMilliseconds(milliseconds)}`;
  return `${standing.end === 'cold' ? 'started cold' : 'restored'} as ${to} on ${node}${took}`;
}
