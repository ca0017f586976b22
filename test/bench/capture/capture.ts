import { join } from 'node:path';
import { readArtifact } from '../../../agent/artifact/read.ts';
import { dirStore } from '../../../agent/store/dir/dir-store.ts';
import { findCondition } from '../../../core/api/conditions.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { apiVersion, contentName } from '../../../core/api/names.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { sleep, systemClock } from '../../../core/clock.ts';
import { isFailure } from '../../../core/failure.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import { identityOf } from '../../../runtime/raw-object.ts';
import type { Bed } from '../../bed/bed.ts';
import { Hops } from '../control-plane/hops.ts';
import type { AgentProcess } from './agent.ts';
import { settleDisk } from './node.ts';
import { namespace, type Source } from './source.ts';

const never = new AbortController().signal;
const endDeadlineMilliseconds = 300_000;

/** One capture by Cryopod. Milliseconds. */
export type Captured = {
  /** From the create of the PodSnapshot until a watcher saw it Ready. */
  readonly requestToReady: number;
  readonly freeze: number;
  readonly publish: number;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly peakMebibytes: number;
  /** CRIU's options, as the artifact records them. */
  readonly options: readonly string[];
};

/** Captures a source once and removes the snapshot with its bytes. */
export async function measureCapture(
  bed: Bed,
  kube: ConnectedKube,
  node: string,
  agent: AgentProcess,
  source: Source,
): Promise<Captured> {
  const key = { kind: kinds.podSnapshot, namespace, name: source.name };
  const podRef = { name: source.name, containers: ['main'] };
  const object = {
    apiVersion,
    kind: 'PodSnapshot',
    metadata: { name: source.name, namespace },
    spec: { source: { podRef } },
  };
  await settleDisk();
  const publishedBefore = await agent.published();
  const hops = new Hops(kube);
  await hops.start();
  try {
    const [uid, peakMebibytes] = await agent.peakDuring(async () => {
      const sentAt = performance.now();
      const { uid } = identityOf(await kube.create(key.kind, object, { dryRun: false }, never));
      hops.sent(uid, sentAt);
      while (hops.open() > 0) {
        if (performance.now() - sentAt > endDeadlineMilliseconds) throw new Error('not captured');
        await sleep(systemClock, 5, never);
      }
      return uid;
    });
    const course = hops.courses.get(contentName(uid));
    const parsed = parsePodSnapshot(await kube.get(key, never));
    if (!parsed.ok) throw new Error(parsed.message);
    const { artifact, conditions, freezeMilliseconds = Number.NaN } = parsed.value.status;
    if (artifact === undefined || course?.ready === undefined || course.sent === undefined) {
      throw new Error(findCondition(conditions, 'Failed')?.message ?? 'not captured');
    }
    const published = await agent.published();
    const store = dirStore(join(bed.node(node).rootPath, 'var/lib/cryopod-store'));
    const content = await kube.get(
      { kind: kinds.podSnapshotContent, namespace: '', name: contentName(uid) },
      never,
    );
    const contentUID = identityOf(content).uid;
    const { config } = await readArtifact(store, { namespace, contentUID }, never);
    return {
      requestToReady: course.ready - course.sent,
      freeze: freezeMilliseconds,
      publish: (published.seconds - publishedBefore.seconds) * 1000,
      ...{ sizeBytes: artifact.sizeBytes, storedBytes: artifact.storedBytes, peakMebibytes },
      options: config.containers[0]?.criuOptions ?? [],
    };
  } finally {
    hops.stop();
    await remove(kube, key);
  }
}

async function remove(
  kube: ConnectedKube,
  key: Parameters<ConnectedKube['get']>[0],
): Promise<void> {
  await kube.delete(key, {}, never);
  const until = performance.now() + endDeadlineMilliseconds;
  while (performance.now() < until) {
    try {
      await kube.get(key, never);
    } catch (error) {
      if (isFailure(error, 'gone')) return;
      throw error;
    }
    await sleep(systemClock, 50, never);
  }
  throw new Error(`${key.name} is not gone`);
}
