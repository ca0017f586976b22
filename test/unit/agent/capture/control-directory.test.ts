import { expect, test } from 'vitest';
import { controlDirectory } from '../../../../agent/capture/control-directory.ts';

test("the kubelet's directory may be a link of the node, everything below it may not", () => {
  const at = { hostRoot: '/proc/1/root', kubeletDirectory: '/var/lib/kubelet', podUID: 'u' };
  expect(controlDirectory({ ...at, container: 'main' })).toEqual({
    base: '/proc/1/root/var/lib/kubelet',
    below: ['pods', 'u', 'volumes', 'kubernetes.io~empty-dir', 'snapshot-control', 'main'],
  });
});
