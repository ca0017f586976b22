import { checkpointIDs } from '../../../../controller/checkpoint/identity-hash.ts';
import { parseDynamoCheckpoint } from '../../../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../../../core/api/kinds.ts';
import { checkpointJobName, contentName } from '../../../../core/api/names.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf } from '../../../../runtime/raw-object.ts';
import { snapshotManifest } from '../support/cluster.ts';
import { type Actor, create, nodeName } from './actors.ts';

/** Somebody makes a Job, a snapshot or a content under a name that the controller wants; what is theirs for good is noted in `foreign`. */
export async function squat(actor: Actor, foreign: Set<string>, pick: number): Promise<void> {
  const make = async (kind: Kind, object: RawObject): Promise<void> => {
    const key = { kind, ...identityOf(object) };
    if (actor.server.peek(key) !== undefined) return;
    await create(actor, kind, object);
    const made = actor.server.peek(key);
    if (made !== undefined) foreign.add(identityOf(made).uid);
  };
  if (pick % 3 === 0) await make(kinds.job, jobOfSomebody(actor));
  // A user's own snapshot, which the controller may write, but not take for that of another request.
  if (pick % 3 === 1) await create(actor, kinds.podSnapshot, ofAbsentPod('default'));
  if (pick === 2) {
    const content = contentFor(actor, 'default', 'of-nobody');
    if (content !== undefined) await create(actor, kinds.podSnapshotContent, content);
  }
  if (pick === 5) {
    await create(actor, kinds.podSnapshot, ofAbsentPod('elsewhere'));
    const key = { kind: kinds.podSnapshot, namespace: 'elsewhere', name: 'one' };
    const content = contentFor(actor, 'elsewhere', identityOf(actor.server.peek(key) ?? {}).uid);
    if (content !== undefined) await make(kinds.podSnapshotContent, content);
  }
}

function jobOfSomebody({ server }: Actor): RawObject {
  const parsed = parseDynamoCheckpoint(server.all(kinds.dynamoCheckpoint)[0]);
  const name = parsed.ok ? checkpointJobName(checkpointIDs(parsed.value).checkpointID) : 'one';
  return { metadata: { name, namespace: 'default' }, spec: {} };
}

const ofAbsentPod = (namespace: string): RawObject => ({
  ...snapshotManifest('one', { name: 'absent' }),
  metadata: { name: 'one', namespace },
});

/** A content of the name that the first snapshot wants, with a back-link to another. */
function contentFor({ server }: Actor, namespace: string, uid: string): RawObject | undefined {
  const snapshot = server
    .all(kinds.podSnapshot)
    .find((object) => identityOf(object).namespace === 'default');
  if (snapshot === undefined) return undefined;
  const podRef = { name: 'web', uid: 'somebody', containers: ['main'] };
  return {
    metadata: { name: contentName(identityOf(snapshot).uid) },
    spec: { snapshotRef: { namespace, name: 'one', uid }, source: { podRef, nodeName } },
  };
}
