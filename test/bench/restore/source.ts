import { join } from 'node:path';
import { parse } from 'yaml';
import type { ArtifactContainer } from '../../../agent/artifact/config.ts';
import { readArtifact } from '../../../agent/artifact/read.ts';
import { dirStore } from '../../../agent/store/dir/dir-store.ts';
import { isTrue } from '../../../core/api/conditions.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { contentName } from '../../../core/api/names.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import type { Bed } from '../../bed/bed.ts';
import { busyboxImage } from '../../bed/versions.ts';
import { snapshotOf, sourcePod } from '../../e2e/workloads.ts';
import { programsDirectory } from '../capture/node.ts';

const never = new AbortController().signal;
const fillDeadlineMilliseconds = 180_000;

export const namespace = 'bench-restore';
export const answeringPort = 7070;

/** What sources and placeholders have in common. */
export const shared = {
  volumes: [{ name: 'programs', hostPath: { path: programsDirectory, type: 'Directory' } }],
  container: {
    name: 'main',
    image: busyboxImage,
    env: [],
    securityContext: {},
    volumeMounts: [{ name: 'programs', mountPath: '/programs', readOnly: true }],
  },
};

/** A snapshot of a process that answers, and what bare CRIU has to know of it. */
export type Snapshot = {
  readonly name: string;
  readonly mebibytes: number;
  readonly container: ArtifactContainer;
  /** Where the node's cache has the images once something was restored from them, but for the number that the cache adds. */
  readonly cachedAs: string;
};

/** A shell loop beside a process that answers; with memory the process alone. */
const commandOf = (mebibytes: number): readonly string[] => {
  const answering = ['/programs/answering', String(mebibytes), String(answeringPort)];
  return mebibytes > 0
    ? answering
    : ['sh', '-c', `${answering.join(' ')} & while true; do sleep 1; done`];
};

/** Runs a pod with so much incompressible memory, captures it and removes it. */
export async function makeSnapshot(
  bed: Bed,
  kube: ConnectedKube,
  node: string,
  mebibytes: number,
): Promise<Snapshot> {
  const name = mebibytes === 0 ? 'loop' : `mib-${mebibytes}`;
  const named = { name, namespace };
  const pod = parse(
    sourcePod({ ...named, image: '', nodeName: node, command: commandOf(mebibytes) }),
  );
  const [main] = pod.spec.containers;
  pod.spec.volumes.push(...shared.volumes);
  const volumeMounts = [...main.volumeMounts, ...shared.container.volumeMounts];
  pod.spec.containers = [{ ...main, ...shared.container, volumeMounts }];
  await kube.create(kinds.pod, pod, { dryRun: false }, never);
  const ready = async () =>
    (await bed.kubectl(['logs', name, '-n', namespace]).catch(() => '')).includes('ready') ||
    undefined;
  await bed.waitFor(`${name} to have filled its memory`, ready, fillDeadlineMilliseconds);
  const object = parse(snapshotOf({ ...named, pod: name }));
  const { uid } = identityOf(
    await kube.create(kinds.podSnapshot, object, { dryRun: false }, never),
  );
  const status = await bed.waitFor(
    `${name} to be captured`,
    async () => {
      const parsed = parsePodSnapshot(await kube.get({ kind: kinds.podSnapshot, ...named }, never));
      if (!parsed.ok) throw new Error(parsed.message);
      return isTrue(parsed.value.status.conditions, 'Ready') ? parsed.value.status : undefined;
    },
    fillDeadlineMilliseconds,
  );
  await bed.kubectl(['delete', 'pod', name, '-n', namespace, '--wait=true']);
  const contentKey = { kind: kinds.podSnapshotContent, namespace: '', name: contentName(uid) };
  const contentUID = identityOf(await kube.get(contentKey, never)).uid;
  const store = dirStore(join(bed.node(node).rootPath, 'var/lib/cryopod-store'));
  const { config } = await readArtifact(store, { namespace, contentUID }, never);
  const [container] = config.containers;
  const digest = status.artifact?.digest;
  if (container === undefined || digest === undefined) throw new Error(`${name} has no artifact`);
  const cachedAs = `/var/lib/cryopod/restore/cache/${digest.replace(':', '-')}`;
  return { name, mebibytes, container, cachedAs };
}
