import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import * as z from 'zod';
import {
  agentLeaseName,
  annotations,
  captureLeaseName,
  finalizers,
  labels,
  sweepLeaseName,
  systemNamespace,
} from '../../../core/api/names.ts';

const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    failurePolicy: z.string().optional(),
    policyName: z.string().optional(),
    validationActions: z.array(z.string()).optional(),
    validations: z
      .array(z.looseObject({ message: z.string(), reason: z.string().optional() }))
      .default([]),
  }),
});

const directory = new URL('../../../deploy/admission/', import.meta.url).pathname;
const names = (await readdir(directory)).filter((name) => name !== 'kustomization.yaml');
const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
const manifests = texts.flatMap((text) =>
  parseAllDocuments(text).map((document) => manifest.parse(document.toJS())),
);
const policies = manifests.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
const bindings = manifests.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding');

describe('the admission policies', () => {
  it('are all installed', async () => {
    const kustomization = parse(await readFile(join(directory, 'kustomization.yaml'), 'utf8'));
    expect(kustomization.resources.toSorted()).toEqual(names.toSorted());
  });

  it('are nothing but policies and bindings, each policy with one that denies', () => {
    expect(policies.length + bindings.length).toBe(manifests.length);
    const bound = bindings.map(({ spec }) => spec.policyName);
    expect(bound.toSorted()).toEqual(policies.map(({ metadata }) => metadata.name).toSorted());
    for (const { spec } of bindings) expect(spec.validationActions).toEqual(['Deny']);
  });

  it.each(policies.map((policy) => [policy.metadata.name, policy.spec] as const))(
    '%s refuses when it cannot judge, and says Forbidden and why',
    (_name, spec) => {
      expect(spec.failurePolicy).toBe('Fail');
      expect(spec.validations.length).toBeGreaterThan(0);
      for (const { message, reason } of spec.validations) {
        expect(reason).toBe('Forbidden');
        expect(message.length).toBeGreaterThan(20);
      }
    },
  );

  // The expressions repeat names of core/api/names.ts; a slip in one of them would be a rule that never applies.
  it('know every name as the programs do', () => {
    const text = texts.join('\n');
    const quoted = (pattern: RegExp): ReadonlySet<string> =>
      new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ''));
    const account = (name: string): string => `system:serviceaccount:${systemNamespace}:${name}`;
    expect(quoted(/'(system:serviceaccount:[^']+)'/g)).toEqual(
      new Set([account('cryopod-agent'), account('cryopod-controller')]),
    );
    expect(quoted(/'(nvidia\.com\/[^']+)'/g)).toEqual(
      new Set([
        ...[labels.captureEligible, labels.node, labels.owner, labels.jobUID, labels.restoreUID],
        ...[annotations.restoreFrom, annotations.restoreFromUID, annotations.startedCold],
        annotations.restoreMaximumAttempts,
        ...[finalizers.snapshot, finalizers.content],
        'nvidia.com/Restored',
        'nvidia.com/RestoreProgress',
      ]),
    );
    expect(quoted(/'(cryopod-agent-)'/g)).toEqual(new Set([agentLeaseName('')]));
    expect(quoted(/startsWith\('([^']+)'\)/g)).toEqual(
      new Set([captureLeaseName(''), sweepLeaseName('')]),
    );
  });
});
