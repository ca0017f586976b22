import { describe, expect, it } from 'vitest';
import { parseNode } from '../../../../core/api/node.ts';
import {
  type AgentSight,
  type Demands,
  judgeNodes,
  noNodeFits,
  shownCandidates,
} from '../../../../core/restore/candidates.ts';
import { isAtLeast } from '../../../../core/restore/kernel-version.ts';
import {
  nodesExpression,
  onlyOnNodes,
  withoutRestoreNodes,
} from '../../../../core/restore/node-affinity.ts';
import type { PodManifest } from '../../../../core/restore/pod-manifest.ts';
import { quantityValue } from '../../../../core/restore/quantity.ts';

const node = (name: string, more: object = {}, info: object = {}) => {
  const parsed = parseNode({
    metadata: { name, labels: { 'kubernetes.io/hostname': `host-${name}`, zone: 'near' } },
    spec: more,
    status: { nodeInfo: { architecture: 'amd64', kernelVersion: '6.1.0-25-amd64', ...info } },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
};
const alive: AgentSight = { alive: true, unreachable: undefined };
const demands: Demands = {
  ...{ architecture: 'amd64', kernelVersion: '6.1.0' },
  ...{ nodeSelector: {}, tolerations: [] },
};
const reasonOf = (
  one: ReturnType<typeof node>,
  agent: AgentSight = alive,
  asked: Partial<Demands> = {},
) => judgeNodes([{ node: one, agent }], { ...demands, ...asked })[0]?.reason;

describe('a node for a restore', () => {
  it('fits where nothing speaks against it', () => {
    expect(judgeNodes([{ node: node('a'), agent: alive }], demands)).toEqual([
      { node: 'a', fits: true, hostname: 'host-a', excluded: false },
    ]);
  });

  it.each<readonly [string, ReturnType<typeof node>, AgentSight, Partial<Demands>]>([
    ['it is cordoned', node('a', { unschedulable: true }), alive, {}],
    [
      'its label zone is near, asked for is far',
      node('a'),
      alive,
      { nodeSelector: { zone: 'far' } },
    ],
    [
      'the pod does not tolerate its taint gpu:NoSchedule',
      node('a', { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }),
      alive,
      { tolerations: [{ key: 'other', operator: 'Exists' }] },
    ],
    [
      'it is arm64, the captured pod ran on amd64',
      node('a', {}, { architecture: 'arm64' }),
      alive,
      {},
    ],
    [
      'its kernel 5.15.2 is older than the captured 6.1.0',
      node('a', {}, { kernelVersion: '5.15.2' }),
      alive,
      {},
    ],
    ['no agent of Cryopod is heard there', node('a'), { ...alive, alive: false }, {}],
    ['another store', node('a'), { ...alive, unreachable: 'another store' }, {}],
  ])('does not where %s', (words, one, agent, asked) => {
    expect(reasonOf(one, agent, asked)).toBe(words);
  });

  it('is not refused for what is unknown on either side', () => {
    const unknown = { architecture: undefined, kernelVersion: undefined };
    expect(reasonOf(node('a', {}, unknown))).toBeUndefined();
    expect(reasonOf(node('a'), alive, unknown)).toBeUndefined();
    expect(reasonOf(node('a', {}, { kernelVersion: 'custom' }))).toBeUndefined();
  });

  it('is not refused for a taint that is tolerated, or only preferred', () => {
    const taints = [
      { key: 'gpu', value: 'yes', effect: 'NoSchedule' },
      { key: 'soft', effect: 'PreferNoSchedule' },
    ];
    const tolerations = [{ key: 'gpu', operator: 'Equal', value: 'yes' }];
    expect(reasonOf(node('a', { taints }), alive, { tolerations })).toBeUndefined();
  });

  it('stands first in the list where it fits, and the list is bounded', () => {
    const many = Array.from({ length: 150 }, (_, index) => ({
      node: node(`n${String(index).padStart(3, '0')}`, { unschedulable: index < 149 }),
      agent: alive,
    }));
    const shown = shownCandidates(judgeNodes(many, demands));
    expect(shown).toHaveLength(100);
    expect(shown.slice(0, 2)).toEqual([
      { node: 'n149', fits: true },
      { node: 'n000', fits: false, reason: 'it is cordoned' },
    ]);
    expect(noNodeFits(shown.slice(1))).toContain('; and 94 more.');
    expect(noNodeFits([])).toBe('No node is known.');
  });
});

const pod = (affinity?: object): PodManifest => ({
  metadata: { annotations: {} },
  spec: { containers: [{ name: 'main' }], ...(affinity === undefined ? {} : { affinity }) },
});
const required = (one: PodManifest) =>
  (
    one.spec.affinity as {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution?: object };
    }
  ).nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;

describe('the node affinity of a placeholder', () => {
  const judged = judgeNodes(
    [
      { node: node('a'), agent: alive },
      { node: node('b'), agent: { ...alive, alive: false } },
      { node: node('c', { unschedulable: true }), agent: alive },
    ],
    demands,
  );
  const notB = { key: 'kubernetes.io/hostname', operator: 'NotIn', values: ['host-b'] };

  it('rules out what the scheduler does not know, so that a node that joins later may have it', () => {
    expect(nodesExpression(judged)).toEqual(notB);
    expect(nodesExpression(judged.filter(({ excluded }) => !excluded))).toBeUndefined();
  });

  it('names those that fit where too many do not', () => {
    const many = Array.from({ length: 101 }, (_, index) => ({
      node: node(`n${index}`),
      agent: { ...alive, alive: false },
    }));
    const all = judgeNodes([{ node: node('a'), agent: alive }, ...many], demands);
    expect(nodesExpression(all)).toMatchObject({ operator: 'In', values: ['host-a'] });
  });

  it('goes into every alternative that the pod has itself, and out again for the next restore', () => {
    const own = { key: 'gpu', operator: 'Exists', values: [] };
    const terms = [{ matchExpressions: [own] }, { matchExpressions: [] }];
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
    };
    const narrowed = onlyOnNodes(pod({ nodeAffinity }), notB);
    expect(required(narrowed)).toEqual({
      nodeSelectorTerms: [{ matchExpressions: [own, notB] }, { matchExpressions: [notB] }],
    });
    expect(required(withoutRestoreNodes(narrowed))).toEqual({
      nodeSelectorTerms: [{ matchExpressions: [own] }],
    });
    const plain = onlyOnNodes(pod(), notB);
    expect(required(plain)).toEqual({ nodeSelectorTerms: [{ matchExpressions: [notB] }] });
    expect(required(withoutRestoreNodes(plain))).toBeUndefined();
    expect(withoutRestoreNodes(pod())).toEqual(pod());
  });
});

it.each([
  ['6.1.0-25-amd64', '6.1.0', true],
  ['6.1', '6.1.0', true],
  ['5.15.99', '6.1.0', false],
  ['6.10.1', '6.9.7', true],
  ['custom', '6.1', undefined],
])('kernel %s is as new as %s: %s', (has, needs, answer) => {
  expect(isAtLeast(has, needs)).toBe(answer);
});

it.each([
  ['1500m', 1.5],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['2e3', 2000],
  ['1E', 1e18],
  [4, 4],
  ['', undefined],
  ['1Xi', undefined],
])('the quantity %s is %s', (quantity, value) => {
  expect(quantityValue(quantity)).toBe(value);
});
