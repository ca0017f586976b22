import { type Conditions, findCondition, isTrue } from '../../../../core/api/conditions.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { identityOf, isRecord, recordAt, textAt } from '../../../../runtime/raw-object.ts';

/** Ready may be taken back for these: the bytes are gone or no longer its own. */
export const lossReasons = [
  ...['ArtifactLost', 'ArtifactCorrupt', 'ContentLost', 'ContentConflict'],
  // Of a checkpoint, whose bytes go with its snapshot.
  'SnapshotDeleted',
];
/** Conditions of any object. */
export const conditionsOf = (object: RawObject): Conditions => {
  const { conditions } = recordAt(object, 'status');
  return Array.isArray(conditions) ? conditions : [];
};

/** Its kind. */
export const kindOf = (object: RawObject): string => textAt(object, 'kind');
/** Its UID. */
export const uidOf = (object: RawObject): string => identityOf(object).uid;
/** The value of a label; '' where it has none. */
export const labelOf = (object: RawObject, label: string): string =>
  textAt(recordAt(recordAt(object, 'metadata'), 'labels'), label);
/** Its spec. */
export const specOf = (object: RawObject): RawObject => recordAt(object, 'spec');
/** The pod that a snapshot or a content is of. */
export const podRefOf = (object: RawObject): RawObject =>
  recordAt(recordAt(specOf(object), 'source'), 'podRef');

/** UID of the controlling owner; '' where there is none. */
export function ownerUID(object: RawObject): string {
  const { ownerReferences } = recordAt(object, 'metadata');
  const owners = Array.isArray(ownerReferences) ? ownerReferences.filter(isRecord) : [];
  return textAt(owners.find(({ controller }) => controller === true) ?? {}, 'uid');
}

/** The end that an object shows: `Ready`, its failure or its loss with the reason, or undefined. */
export function endOf(object: RawObject): string | undefined {
  const conditions = conditionsOf(object);
  const failed = findCondition(conditions, 'Failed');
  if (failed?.status === 'True') return `Failed/${failed.reason}`;
  if (kindOf(object) === 'DynamoCheckpoint') {
    const { phase } = recordAt(object, 'status');
    return phase === 'Ready' || phase === 'Failed' ? phase : undefined;
  }
  const ready = findCondition(conditions, 'Ready');
  if (ready?.status === 'False' && lossReasons.includes(ready.reason))
    return `Lost/${ready.reason}`;
  const success = kindOf(object) === 'SnapshotJob' ? 'Completed' : 'Ready';
  return isTrue(conditions, success) ? 'Ready' : undefined;
}

/** Complete or Failed. */
export const isJobOver = (job: RawObject): boolean =>
  isTrue(conditionsOf(job), 'Complete') || isTrue(conditionsOf(job), 'Failed');

/** For messages. */
export const nameOf = (object: RawObject): string =>
  `${kindOf(object)} ${identityOf(object).name} (${uidOf(object)})`;

/** Being deleted. */
export const isLeaving = (object: RawObject): boolean =>
  recordAt(object, 'metadata').deletionTimestamp !== undefined;
