import type { RawObject, Selection } from '../../runtime/kube-port.ts';
import { identityOf, isRecord, recordAt } from '../../runtime/raw-object.ts';

type LabelTest = (labels: RawObject) => boolean;

function labelTest(requirement: string): LabelTest {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(requirement);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return (labels) => values.includes(String(labels[key])) === (operator === 'in');
  }
  const compare = /^([^!=]+)(!=|==|=)(.*)$/.exec(requirement);
  if (compare !== null) {
    const [, key = '', operator, value = ''] = compare;
    return (labels) => (labels[key.trim()] === value.trim()) === (operator !== '!=');
  }
  if (requirement.startsWith('!')) return (labels) => !(requirement.slice(1) in labels);
  return (labels) => requirement in labels;
}

function fieldAt(object: RawObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = isRecord(value) ? value[part] : undefined;
  return value === undefined ? '' : String(value);
}

function fieldTest(requirement: string): (object: RawObject) => boolean {
  const [path = '', value = ''] = requirement.split(/!=|==|=/);
  const wanted = !requirement.includes('!=');
  return (object) => (fieldAt(object, path) === value) === wanted;
}

/** Whether an object is of the selection; `kind` is not compared. */
export function selects(selection: Selection): (object: RawObject) => boolean {
  const labelTests = (selection.labelSelector ?? '')
    .split(/,(?![^(]*\))/)
    .map((requirement) => requirement.trim())
    .filter((requirement) => requirement !== '')
    .map(labelTest);
  const fieldTests = (selection.fieldSelector ?? '')
    .split(',')
    .filter((requirement) => requirement !== '')
    .map(fieldTest);
  return (object) => {
    const namespace = selection.namespace ?? '';
    if (namespace !== '' && identityOf(object).namespace !== namespace) return false;
    const labels = recordAt(recordAt(object, 'metadata'), 'labels');
    return labelTests.every((test) => test(labels)) && fieldTests.every((test) => test(object));
  };
}
