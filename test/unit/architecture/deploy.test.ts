import { describe, expect, it } from 'vitest';
import * as yaml from 'yaml';
import { files, readText } from './sources.ts';

type Rule = {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
};
type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[];
};

const manifests: readonly Manifest[] = files
  .filter((path) => path.startsWith('deploy/') && path.endsWith('.yaml'))
  .flatMap((path) => yaml.parseAllDocuments(readText(path)).map((document) => document.toJS()))
  .filter((manifest: Manifest | null) => manifest?.kind !== undefined);

/** What the service accounts whose name has `part` in it may do, all their roles taken together. */
function rulesOf(part: string): readonly Rule[] {
  const roles = manifests
    .filter(({ subjects }) =>
      subjects?.some(({ kind, name }) => kind === 'ServiceAccount' && name.includes(part)),
    )
    .map(({ roleRef }) => roleRef);
  return manifests
    .filter(({ kind, metadata }) =>
      roles.some((role) => role?.kind === kind && role.name === metadata.name),
    )
    .flatMap(({ rules }) => rules ?? []);
}

/** The verbs on a resource, as `resource` or `resource/subresource`. */
const verbsOn = (rules: readonly Rule[], resource: string): readonly string[] =>
  rules
    .filter(({ resources }) => resources?.some((one) => one === '*' || one === resource))
    .flatMap(({ verbs }) => verbs)
    .toSorted();

const reading = ['get', 'list', 'watch'];

describe('RBAC of the agent', () => {
  const rules = rulesOf('agent');

  it('lets it read work orders and write their status', () => {
    expect(verbsOn(rules, 'podsnapshotcontents')).toEqual(expect.arrayContaining(reading));
    expect(verbsOn(rules, 'podsnapshotcontents/status')).toContain('patch');
  });

  it('never lets it write a work order itself', () => {
    expect(verbsOn(rules, 'podsnapshotcontents').filter((verb) => !reading.includes(verb))).toEqual(
      [],
    );
  });

  it('lets it label a pod and end one, and never make one, run in one, or read a secret', () => {
    const pods = verbsOn(rules, 'pods').filter((verb) => !reading.includes(verb));
    expect(new Set(pods)).toEqual(new Set(['patch', 'delete']));
    for (const resource of ['pods/exec', 'pods/attach', 'pods/ephemeralcontainers', 'secrets']) {
      expect(verbsOn(rules, resource)).toEqual([]);
    }
  });
});

describe('RBAC of all parts', () => {
  it.each(['agent', 'controller'])('gives the %s something, and nothing by wildcard', (part) => {
    const rules = rulesOf(part);
    expect(rules.length).toBeGreaterThan(0);
    const wild = rules.filter((rule) =>
      [rule.apiGroups, rule.resources, rule.verbs].some((list) => list?.includes('*')),
    );
    expect(wild).toEqual([]);
  });

  it('lets the controller remove finalizers of work orders', () => {
    const verbs = verbsOn(rulesOf('controller'), 'podsnapshotcontents');
    expect(verbs).toEqual(expect.arrayContaining(['create', 'delete', 'patch']));
  });
});
