import { expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { createPath, objectPath, selectionPath } from '../../../runtime/kube-path.ts';

it('addresses core, named groups and cluster-scoped kinds', () => {
  const pod = { kind: kinds.pod, namespace: 'a', name: 'b' };
  expect(objectPath(pod, '')).toBe('/api/v1/namespaces/a/pods/b');
  expect(objectPath({ ...pod, kind: kinds.podSnapshot }, 'status')).toBe(
    '/apis/nvidia.com/v1alpha1/namespaces/a/podsnapshots/b/status',
  );
  expect(objectPath({ kind: kinds.node, namespace: '', name: 'n' }, '')).toBe('/api/v1/nodes/n');
  expect(createPath(kinds.job, 'a', { dryRun: 'All' })).toBe(
    '/apis/batch/v1/namespaces/a/jobs?dryRun=All',
  );
});

it('lists in one namespace or in all, with its selectors', () => {
  const selection = {
    kind: kinds.pod,
    labelSelector: 'a in (b,c)',
    fieldSelector: 'spec.nodeName=n',
  };
  expect(selectionPath(selection, { limit: 500, continue: undefined })).toBe(
    '/api/v1/pods?limit=500&labelSelector=a+in+%28b%2Cc%29&fieldSelector=spec.nodeName%3Dn',
  );
  expect(selectionPath({ kind: kinds.pod, namespace: 'a' }, {})).toBe('/api/v1/namespaces/a/pods');
});

it('never lets a name lead to another object', () => {
  const key = { kind: kinds.pod, namespace: 'a', name: 'b/../c?x' };
  expect(objectPath(key, '')).toBe('/api/v1/namespaces/a/pods/b%2F..%2Fc%3Fx');
  for (const name of ['.', '..', '']) {
    expect(() => objectPath({ ...key, name }, '')).toThrow(
      expect.objectContaining({ reason: 'InvalidName' }),
    );
  }
  expect(() => objectPath({ ...key, namespace: '' }, '')).toThrow();
  expect(() => createPath(kinds.pod, '', {})).toThrow();
});
