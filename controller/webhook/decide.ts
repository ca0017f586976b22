import { annotations } from '../../core/api/names.ts';
import { placeholderCommand, placeholderProblems } from '../../core/api/restore.ts';
import { type PodManifest, parsePodManifest } from '../../core/restore/pod-manifest.ts';
import { shapePlaceholder } from '../../core/restore/shape-placeholder.ts';
import { containersToRestore, type SnapshotView } from '../../core/restore/snapshot-view.ts';

/** A pod that somebody creates, and what is known of the snapshot that it names. */
export type Observed = {
  /** As it came; known only as far as its parser goes. */
  readonly pod: unknown;
  /** Its annotation restore-from. */
  readonly source: string | undefined;
  /** `unread`: the API server did not say in time. */
  readonly snapshot: SnapshotView | { readonly state: 'unread'; readonly message: string };
  readonly initImage: string;
};

/** How a request ends. */
export type Verdict =
  | { readonly outcome: 'unchanged' }
  | { readonly outcome: 'shaped'; readonly pod: PodManifest }
  | { readonly outcome: 'refused' | 'unread'; readonly message: string };

/** Where a request stands. */
export const phases = ['Plain', 'Placeholder', 'Unread', 'Unusable', 'Pending', 'Ready'] as const;
export type Phase = (typeof phases)[number];

/** The phase of an observation; the order of the questions is the meaning. */
export function phaseOf(o: Observed): Phase {
  if (o.source === undefined) return 'Plain';
  if (isPlaceholder(o)) return 'Placeholder';
  if (o.snapshot.state === 'unread') return 'Unread';
  if (o.snapshot.state === 'unusable') return 'Unusable';
  return o.snapshot.state === 'pending' ? 'Pending' : 'Ready';
}

/**
 * Whether it waits to be restored as it is, by its own containers that run the init. Such a pod never starts cold, whatever its snapshot, and the agent
 * tells what it waits for or what does not fit. A container that the snapshot holds and that does not wait would start cold.
 */
function isPlaceholder({ pod, snapshot }: Observed): boolean {
  const parsed = parsePodManifest(pod);
  if (!parsed.ok) return false;
  const { spec } = parsed.value;
  const ours = waiting(spec.containers);
  if (ours.length === 0 || placeholderProblems({ spec }, ours).length > 0) return false;
  const held = snapshot.state === 'ready' ? snapshot.containers : [];
  return spec.containers.every(({ name }) => ours.includes(name) || !held.includes(name));
}

const waiting = (containers: PodManifest['spec']['containers']): readonly string[] =>
  containers
    .filter(({ command = [], args = [] }) => {
      return [...command, ...args].join('\0') === placeholderCommand.join('\0');
    })
    .map(({ name }) => name);

const refused = (message: string): Verdict => ({
  outcome: 'refused',
  message: `${annotations.restoreFrom}: ${message}`,
});
const said = ({ snapshot }: Observed): string => ('message' in snapshot ? snapshot.message : '');

const rules = {
  Plain: () => ({ outcome: 'unchanged' }),
  Placeholder: () => ({ outcome: 'unchanged' }),
  Unread: (o) => ({ outcome: 'unread', message: `${annotations.restoreFrom}: ${said(o)}` }),
  Unusable: (o) => refused(said(o)),
  Pending: (o) =>
    refused(`${said(o)}; create the pod once it is (what runs pods for you tries again by itself)`),
  Ready: shape,
} as const satisfies Record<Phase, (o: Observed) => Verdict>;

function shape(o: Observed): Verdict {
  const parsed = parsePodManifest(o.pod);
  const containers =
    parsed.ok && o.snapshot.state !== 'unread' ? containersToRestore(parsed.value, o.snapshot) : [];
  const facts = { snapshotName: o.source ?? '', containers, initImage: o.initImage };
  const { pod, problems } = shapePlaceholder(o.pod, facts);
  if (pod !== undefined) return { outcome: 'shaped', pod };
  return refused(`the pod cannot be restored from PodSnapshot ${o.source}: ${problems.join('; ')}`);
}

/** What becomes of a pod that is being created; pure and total. */
export const decide = (o: Observed): Verdict => rules[phaseOf(o)](o);
