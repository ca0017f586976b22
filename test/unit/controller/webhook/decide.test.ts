import { describe, expect, it } from 'vitest';
import { decide, type Observed, phaseOf } from '../../../../controller/webhook/decide.ts';
import { shapePlaceholder } from '../../../../core/restore/shape-placeholder.ts';

const initImage = 'example.test/init:1';
const pod = { metadata: {}, spec: { containers: [{ name: 'main', command: ['/app'] }] } };
const facts = { snapshotName: 'saved', containers: ['main'], initImage };
const placeholder = shapePlaceholder(pod, facts).pod;
const ready = { state: 'ready', containers: ['main'] } as const;
const pending = { state: 'pending', message: 'PodSnapshot saved is not Ready yet' } as const;
const unusable = { state: 'unusable', message: 'PodSnapshot saved has failed' } as const;
const unread = { state: 'unread', message: 'PodSnapshot saved could not be read' } as const;

const observed = (change: Partial<Observed> = {}): Observed => ({
  ...{ pod, source: 'saved', snapshot: ready, initImage },
  ...change,
});

describe('a pod that is being created', () => {
  it('without the annotation is left as it is', () => {
    expect(decide(observed({ source: undefined, snapshot: unread }))).toEqual({
      outcome: 'unchanged',
    });
  });

  it('with a Ready snapshot becomes a placeholder for it', () => {
    expect(decide(observed())).toEqual({ outcome: 'shaped', pod: placeholder });
  });

  it.each([ready, pending, unusable, unread])(
    'that is a placeholder is left as it is, the snapshot being $state',
    (snapshot) => {
      expect(decide(observed({ pod: placeholder, snapshot }))).toEqual({ outcome: 'unchanged' });
    },
  );

  it('that waits in some other container than the snapshot holds is left to the agent, for it cannot start cold', () => {
    const other = shapePlaceholder(
      { ...pod, spec: { containers: [{ name: 'other' }] } },
      { ...facts, containers: ['other'] },
    ).pod;
    expect(decide(observed({ pod: other }))).toEqual({ outcome: 'unchanged' });
  });

  it('with an artifact that names no containers waits in those that it names itself, or in its first', () => {
    const snapshot = { state: 'ready', containers: [] } as const;
    const spec = { containers: [{ name: 'first' }, { name: 'second' }] };
    const waitsIn = (annotations: Readonly<Record<string, string>>): string => {
      const verdict = decide(observed({ pod: { metadata: { annotations }, spec }, snapshot }));
      const containers = 'pod' in verdict ? verdict.pod.spec.containers : [];
      return containers.flatMap(({ name, command }) => (command ? [name] : [])).join();
    };
    expect(waitsIn({})).toBe('first');
    expect(waitsIn({ 'nvidia.com/snapshot-target-containers': 'first, second' })).toBe(
      'first,second',
    );
  });

  it('that waits in one of two containers of the snapshot comes to wait in both', () => {
    const two = { ...pod, spec: { containers: [{ name: 'main' }, { name: 'second' }] } };
    const half = shapePlaceholder(two, facts).pod;
    const snapshot = { state: 'ready', containers: ['main', 'second'] } as const;
    expect(phaseOf(observed({ pod: half, snapshot }))).toBe('Ready');
    expect(decide(observed({ pod: half, snapshot })).outcome).toBe('shaped');
  });

  it.each([
    [
      'one that is not Ready yet',
      { snapshot: pending },
      'refused',
      /^nvidia.com\/restore-from: PodSnapshot saved is not Ready yet; create the pod once it is/,
    ],
    ['one that cannot be used', { snapshot: unusable }, 'refused', /PodSnapshot saved has failed$/],
    [
      'one that the API server did not tell about',
      { snapshot: unread },
      'unread',
      /could not be read/,
    ],
    [
      'one that holds another container',
      { snapshot: { state: 'ready', containers: ['db'] } as const },
      'refused',
      /cannot be restored from PodSnapshot saved: there is no container db/,
    ],
  ])('and names %s is not admitted, in words', (_, change, outcome, said) => {
    const verdict = decide(observed(change));
    expect(verdict).toMatchObject({ outcome, message: expect.stringMatching(said) });
  });

  it('that is no pod is refused, in words', () => {
    expect(decide(observed({ pod: { spec: {} } }))).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('does not parse'),
    });
  });
});
