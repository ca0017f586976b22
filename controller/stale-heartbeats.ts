import { kinds } from '../core/api/kinds.ts';
import { agentLeaseName, labels } from '../core/api/names.ts';
import type { PodSnapshotContent } from '../core/api/pod-snapshot-content.ts';
import { errorText, isFailure } from '../core/failure.ts';
import type { Kube } from '../runtime/kube-port.ts';
import type { Log } from '../runtime/log.ts';
import type { ObjectReader } from '../runtime/object-cache.ts';
import { readRaw } from '../runtime/read-raw.ts';
import type { AgentBeats, StandingLease } from './agent-beats.ts';

/** A node that comes back within this time finds its Lease as it left it. */
const staleMilliseconds = 3_600_000;

/** What tidying up reads and writes. */
export type StaleHeartbeatDeps = {
  readonly kube: Kube;
  readonly log: Log;
  readonly beats: Pick<AgentBeats, 'standing'>;
  readonly contents: Pick<ObjectReader<PodSnapshotContent, never>, 'list'>;
  readonly namespace: string;
};

/**
 * Deletes the heartbeat Leases of nodes that the API server says are gone: in a cluster that grows and shrinks they would pile up for ever. The
 * Lease says which store the node's agent served, so it stays while a content names the node. Never throws: the next time will do.
 */
export async function removeStaleHeartbeats(
  deps: StaleHeartbeatDeps,
  signal: AbortSignal,
): Promise<void> {
  const standing = deps.beats.standing(staleMilliseconds);
  if (standing.length === 0) return;
  const needed = new Set(
    deps.contents
      .list()
      .flatMap(({ metadata, spec }) => [metadata.labels[labels.node], spec.source.nodeName]),
  );
  for (const lease of standing) {
    if (needed.has(lease.nodeName)) continue;
    try {
      await removeLease(deps, lease, signal);
    } catch (error) {
      if (signal.aborted) return;
      const fields = { node: lease.nodeName, error: errorText(error) };
      deps.log.info(fields, 'the heartbeat of a node that is gone was not removed');
    }
  }
}

async function removeLease(
  { kube, log, namespace }: StaleHeartbeatDeps,
  { nodeName, resourceVersion, uid }: StandingLease,
  signal: AbortSignal,
): Promise<void> {
  const node = { kind: kinds.node, namespace: '', name: nodeName };
  if ((await readRaw(kube, node, signal)) !== undefined) return;
  const key = { kind: kinds.lease, namespace, name: agentLeaseName(nodeName) };
  try {
    // A beat in this very moment moves the version, and the Lease stays.
    await kube.delete(key, { uid, resourceVersion }, signal);
    log.info({ node: nodeName }, 'removed the heartbeat of a node that is gone');
  } catch (error) {
    if (!isFailure(error, 'gone', 'conflict')) throw error;
  }
}
