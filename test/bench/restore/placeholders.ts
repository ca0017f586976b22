import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { listPids, readProc, readStat, readStatus } from '../../../agent/proc/process-table.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { annotations } from '../../../core/api/names.ts';
import { placeholderFiles } from '../../../core/api/restore.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import type { Bed } from '../../bed/bed.ts';
import { placeholderPod } from '../../e2e/workloads.ts';
import { inNode, programsDirectory } from '../capture/node.ts';
import { answeringPort, namespace, type Snapshot, shared } from './source.ts';

const never = new AbortController().signal;
const waitDeadlineMilliseconds = 120_000;

/** When it happened, milliseconds of the wall clock. */
export type Times = {
  /** The placeholder's init ran and waited. */
  readonly waiting: number;
  readonly running: number;
  readonly answered: number;
};

/** A pod to be restored into. */
export type Placeholder = {
  readonly name: string;
  readonly controlDirectory: string;
  /** Resolves at its first answer. */
  readonly answered: Promise<Times>;
};

/** Creates one and begins to wait for its answer. `by` bare: it names no snapshot, and no agent looks at it. */
export async function startPlaceholder(
  bed: Bed,
  kube: ConnectedKube,
  node: string,
  snapshot: Snapshot,
  wanted: {
    readonly name: string;
    readonly by: 'cryopod' | 'bare';
    readonly pauseMicroseconds: number;
  },
): Promise<Placeholder> {
  const { name, by, pauseMicroseconds } = wanted;
  const { volumes, container } = shared;
  const containers = [container];
  const rest = { snapshot: snapshot.name, nodeName: node, volumes, containers };
  const pod = parse(placeholderPod({ name, namespace, ...rest }));
  pod.spec.terminationGracePeriodSeconds = 0;
  if (by === 'bare') delete pod.metadata.annotations[annotations.restoreFrom];
  const { uid } = identityOf(await kube.create(kinds.pod, pod, { dryRun: false }, never));
  const controlDirectory = `/var/lib/kubelet/pods/${uid}/volumes/kubernetes.io~empty-dir/snapshot-control/main`;
  const probe = [`${programsDirectory}/first-answer`, controlDirectory, String(answeringPort)];
  const answered = inNode(bed, node, [...probe, String(pauseMicroseconds)]).then((text) => {
    const [waiting = Number.NaN, running = Number.NaN, at = Number.NaN] = text
      .trim()
      .split(' ')
      .map((word) => Number(BigInt(word) / 1000n) / 1000);
    return { waiting, running, answered: at };
  });
  // It is waited for later; until then a failure must not end the process.
  answered.catch(() => undefined);
  return { name, controlDirectory, answered };
}

/** Waits until its init waits. Looks at the node's files, so that the API server is left alone. */
export async function waiting(bed: Bed, node: string, placeholder: Placeholder): Promise<string> {
  const file = join(
    ...[bed.node(node).rootPath, placeholder.controlDirectory, placeholderFiles.waiting],
  );
  const until = performance.now() + waitDeadlineMilliseconds;
  while (!existsSync(file)) {
    if (performance.now() > until) throw new Error(`${placeholder.name} does not wait`);
    await sleep(systemClock, 20, never);
  }
  return readFileSync(file, 'utf8').trim();
}

/** The init that began then, as the node numbers it. */
export async function findInit(
  bed: Bed,
  node: string,
  placeholder: Placeholder,
  ticks: number,
): Promise<number> {
  const proc = `${bed.node(node).rootPath}/proc`;
  for (const pid of await listPids(proc)) {
    if ((await readStat(proc, pid))?.startTicks !== ticks) continue;
    if ((await readStatus(proc, pid))?.namespacePids.at(-1) !== 1) continue;
    // Others may have begun in the same hundredth of a second.
    const pod = placeholder.controlDirectory.split('/volumes/')[0]?.replace(/^.*\/pods\//, '');
    if ((await readProc(`${proc}/${pid}/mountinfo`))?.includes(`/pods/${pod}/`)) return pid;
  }
  throw new Error('the init of a placeholder was not found');
}

/** Removes them and waits until they are gone. */
export async function removePlaceholders(
  bed: Bed,
  placeholders: readonly Placeholder[],
): Promise<void> {
  const names = placeholders.map(({ name }) => name);
  await bed.kubectl(['delete', 'pod', ...names, '-n', namespace, '--wait=true', '--timeout=120s']);
}
