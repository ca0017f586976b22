import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { checkpointPhases } from '../../../core/api/dynamo-checkpoint.ts';
import { type Kind, kinds } from '../../../core/api/kinds.ts';
import { podRestorePhases } from '../../../core/api/pod-restore.ts';
import { explanationAnswers } from '../../../core/api/pod-snapshot-explanation.ts';
import { sourceStates, stages } from '../../../core/api/stages.ts';
import { files, readText } from './sources.ts';

type Schema = {
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
};
type Definition = {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly plural: string;
      readonly categories: string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
};

const own: readonly Kind[] = [
  kinds.podSnapshot,
  kinds.podSnapshotContent,
  kinds.dynamoCheckpoint,
  kinds.snapshotJob,
  kinds.podSnapshotExplanation,
  kinds.podRestore,
];
const definition = (kind: Kind): Definition => yaml.parse(readText(`crds/${kind.plural}.yaml`));
const schemaOf = (kind: Kind): Schema =>
  definition(kind).spec.versions[0]?.schema.openAPIV3Schema ?? {};

/** Every schema below one, with its path. */
function within(schema: Schema, path: string): readonly (readonly [string, Schema])[] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
    within(one, `${path}.${name}`),
  );
  const items = schema.items === undefined ? [] : within(schema.items, `${path}[]`);
  const values =
    schema.additionalProperties === undefined
      ? []
      : within(schema.additionalProperties, `${path}{}`);
  return [[path, schema], ...below, ...items, ...values];
}

const enumAt = (kind: Kind, path: string): readonly string[] | undefined =>
  new Map(within(schemaOf(kind), '')).get(path)?.enum;

describe('CRDs', () => {
  it.each(own)('define $kind as core/api/kinds.ts names it', (kind) => {
    const { spec } = definition(kind);
    expect(spec).toMatchObject({
      group: kind.group,
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      names: { kind: kind.kind, plural: kind.plural, categories: ['snapshots'] },
    });
    expect(spec.versions.map(({ name }) => name)).toEqual([kind.version]);
  });

  it.each(own)('describe every field of $kind', (kind) => {
    const silent = within(schemaOf(kind), '')
      // The API server takes no description of metadata; it has its own.
      .filter(([path, schema]) => path !== '.metadata' && schema.description === undefined)
      .map(([path]) => path);
    expect(silent).toEqual([]);
  });

  it.each(own)('bound every list of $kind, so that the cost of rules is bounded', (kind) => {
    const endless = within(schemaOf(kind), '')
      .filter(([, schema]) => schema.type === 'array' && schema.maxItems === undefined)
      .map(([path]) => path);
    expect(endless).toEqual([]);
  });

  it.each([kinds.podSnapshot, kinds.podSnapshotContent])('know the words of $kind', (kind) => {
    expect(enumAt(kind, '.status.stage')).toEqual(stages);
    expect(enumAt(kind, '.status.sourceState')).toEqual(sourceStates);
  });

  it('know the answers of an explanation', () => {
    expect(enumAt(kinds.podSnapshotExplanation, '.status.answer')).toEqual(explanationAnswers);
  });

  it('know the phases of a restore', () => {
    expect(enumAt(kinds.podRestore, '.status.phase')).toEqual(podRestorePhases);
  });

  it('know the phases of a checkpoint', () => {
    expect(enumAt(kinds.dynamoCheckpoint, '.status.phase')).toEqual(checkpointPhases);
  });

  it('are all in the kustomization', () => {
    const listed: { resources: string[] } = yaml.parse(readText('crds/kustomization.yaml'));
    const there = files.filter((path) => /^crds\/[^/]+\.yaml$/.test(path));
    expect(
      [...listed.resources, 'kustomization.yaml'].map((name) => `crds/${name}`).toSorted(),
    ).toEqual(there.toSorted());
  });
});
