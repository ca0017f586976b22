import type { Credentials } from '../../criu-images/core.ts';
import { capabilityNames, hasCapability } from './capabilities.ts';
import type { ContainerFacts, ContainerGate, Privileges, ThreadFacts } from './facts.ts';

/** SCHED_FIFO, SCHED_RR, SCHED_DEADLINE: they take precedence over all that is ordinary on the node. */
const realTime = new Set([1, 2, 6]);

const sets = ['inheritable', 'permitted', 'effective', 'bounding', 'ambient'] as const;

type Living = ThreadFacts & { readonly credentials: Credentials };

/** Threads that will run: a zombie has no credentials and executes nothing. */
function living({ images }: ContainerFacts): readonly Living[] {
  return (images?.threads ?? []).flatMap((thread) => {
    const { credentials } = thread.core;
    return credentials === undefined ? [] : [{ ...thread, credentials }];
  });
}

/** One sentence for each thread that the predicate picks. */
function each(
  facts: ContainerFacts,
  say: (thread: Living, target: Privileges) => string | undefined,
): readonly string[] {
  const { privileges } = facts;
  if (privileges === undefined) return [];
  return living(facts).flatMap((thread) => say(thread, privileges) ?? []);
}

const uidsOf = (one: Credentials): readonly number[] => [
  ...[one.uid, one.effectiveUID, one.savedUID, one.fileSystemUID],
];
const gidsOf = (one: Credentials): readonly number[] => [
  ...[one.gid, one.effectiveGID, one.savedGID, one.fileSystemGID],
];

/**
 * No thread may be restored with more than the placeholder's container may have: CRIU gives every one what its image says, and the image is only
 * as trustworthy as the store.
 */
export const credentialGates = {
  credentials: ({ images }) =>
    (images?.threads ?? [])
      .filter(({ core }) => core.credentials === undefined && core.task?.state !== 'zombie')
      .filter(({ core }) => core.task?.state !== 'dead')
      .map(({ name }) => `${name} has no credentials in the snapshot`),

  capabilities: (facts) =>
    each(facts, ({ name, credentials }, target) => {
      const attainable = target.noNewPrivileges ? target.permitted : target.bounding;
      const excess = sets.flatMap((set) => {
        const allowed = set === 'bounding' ? target.bounding : attainable;
        return capabilityNames(credentials.capabilities[set] & ~allowed);
      });
      return excess.length === 0
        ? undefined
        : `${name} has ${[...new Set(excess)].join(', ')} in the snapshot, the pod's container has not`;
    }),

  noNewPrivileges: (facts) =>
    each(facts, ({ name, credentials }, target) =>
      target.noNewPrivileges && !credentials.noNewPrivileges
        ? `${name} may gain privileges in the snapshot (no_new_privs is off), the pod forbids it (allowPrivilegeEscalation: false)`
        : undefined,
    ),

  seccomp: (facts) =>
    each(facts, ({ name, core }, target) =>
      target.seccompMode !== 0 && core.seccompMode === 0
        ? `${name} has no seccomp filter in the snapshot, the pod's container has one`
        : undefined,
    ),

  root: (facts) =>
    each(facts, ({ name, credentials }, target) =>
      target.mustNotBeRoot && uidsOf(credentials).includes(0)
        ? `${name} is root in the snapshot, the pod says runAsNonRoot`
        : undefined,
    ),

  // Without root and without a way to become it, a container has the users that it was started with.
  identity: (facts) =>
    each(facts, ({ name, credentials }, target) => {
      if (!target.noNewPrivileges || target.uids.includes(0)) return undefined;
      const groups = new Set([...target.gids, ...target.groups]);
      const foreign = [
        ...uidsOf(credentials).filter((uid) => !target.uids.includes(uid)),
        ...[...gidsOf(credentials), ...credentials.groups].filter((gid) => !groups.has(gid)),
      ];
      return foreign.length === 0
        ? undefined
        : `${name} is user ${credentials.uid}, group ${[credentials.gid, ...credentials.groups].join(', ')} in the snapshot; the pod's container is user ${target.uids[0]}, group ${[...groups].join(', ')}, and may become no other`;
    }),

  securityProfile: (facts) =>
    each(facts, ({ name, credentials }, target) =>
      target.securityProfile !== undefined && credentials.securityProfile !== target.securityProfile
        ? `${name} has the security profile ${credentials.securityProfile ?? 'unconfined'} in the snapshot, the pod's container has ${target.securityProfile}`
        : undefined,
    ),

  scheduling: (facts) =>
    each(facts, ({ name, core }, target) =>
      realTime.has(core.schedulingPolicy) && !hasCapability(target.bounding, 'SYS_NICE')
        ? `${name} is scheduled in real time in the snapshot, the pod's container has not SYS_NICE`
        : undefined,
    ),

  userNamespace: ({ privileges }) =>
    privileges?.ownUserNamespace === true
      ? [
          'the pod has a user namespace of its own (hostUsers: false), the snapshot is of one without; restore it into a pod without',
        ]
      : [],
} as const satisfies Readonly<Record<string, ContainerGate>>;
