import { readdirSync, readFileSync } from 'node:fs';
import * as yaml from 'yaml';
import { parseDynamoCheckpoint } from '../../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../../core/api/kinds.ts';
import type { Parsed } from '../../../core/api/metadata.ts';
import { parsePodRestore } from '../../../core/api/pod-restore.ts';
import { parsePodSnapshot } from '../../../core/api/pod-snapshot.ts';
import { parsePodSnapshotContent } from '../../../core/api/pod-snapshot-content.ts';
import { parsePodSnapshotExplanation } from '../../../core/api/pod-snapshot-explanation.ts';
import { parseSnapshotJob } from '../../../core/api/snapshot-job.ts';

const directory = new URL('../../../crds/examples/', import.meta.url);

/** A manifest of crds/examples. `words`: what the message of the API server has to contain; '' in a valid one. */
export type Example = {
  readonly file: string;
  readonly words: string;
  readonly kind: Kind;
  readonly object: { readonly [field: string]: unknown };
  readonly parse: (raw: unknown) => Parsed<unknown>;
};

const parsers: readonly { readonly kind: Kind; readonly parse: Example['parse'] }[] = [
  { kind: kinds.podSnapshot, parse: parsePodSnapshot },
  { kind: kinds.podSnapshotContent, parse: parsePodSnapshotContent },
  { kind: kinds.dynamoCheckpoint, parse: parseDynamoCheckpoint },
  { kind: kinds.snapshotJob, parse: parseSnapshotJob },
  { kind: kinds.podRestore, parse: parsePodRestore },
  { kind: kinds.podSnapshotExplanation, parse: parsePodSnapshotExplanation },
];

function readExample(folder: 'valid' | 'invalid', file: string): Example {
  const text = readFileSync(new URL(`${folder}/${file}`, directory), 'utf8');
  const words = /^# Breaks: .+\. Refused with: (.+)$/m.exec(text)?.[1] ?? '';
  const object = yaml.parse(text) as Example['object'];
  const known = parsers.find(({ kind }) => kind.kind === object.kind);
  if (known === undefined) throw new Error(`${file}: no parser for kind ${String(object.kind)}`);
  return { file, words, object, ...known };
}

/** The examples of a folder, in the order of their names. */
export const examples = (folder: 'valid' | 'invalid'): readonly Example[] =>
  readdirSync(new URL(`${folder}/`, directory))
    .toSorted()
    .map((file) => readExample(folder, file));
