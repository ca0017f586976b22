import { expect, test } from 'vitest';
import { containerOfCgroups, parseCgroup } from '../../../../agent/proc/cgroup-text.ts';

const one = '4f603eb7ca12ccfe4d2fdc4cfad2b8d1fd6174d00a43b626c1fe35481142f485';
const other = 'a2d67869dadcee06cf08ce4fe6a3a4b8d32de4f427979ffbd30ce900ce3d3428';
const pod = '/kubepods/besteffort/poda1c376e4-21dc-45af-bdf1-9238e26ab0a3';
const slice = '/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-poda1c376e4.slice';

test.each([
  ['cgroup v1, cgroupfs driver', `9:name=systemd:${pod}/${one}\n4:memory:${pod}/${one}\n0::/\n`],
  ['cgroup v2, cgroupfs driver', `0::${pod}/${one}\n`],
  ['containerd, systemd driver', `0::${slice}/cri-containerd-${one}.scope\n`],
  ['CRI-O, systemd driver', `0::${slice}/crio-${one}.scope\n`],
  ['the colon form of old containerd', `0::/kubepods-poda1.slice:cri-containerd:${one}\n`],
  ['seen from a cgroup namespace beside it', `0::/../../poda1c376e4/${one}\n`],
  ['a kubelet inside a container', `0::/docker/${other}/kubelet${pod}/${one}\n`],
  ['a cgroup the workload made itself', `0::${pod}/${one}/inner\n`],
  ['one named after another container', `0::${pod}/${one}/${other}\n`],
])('the container is found: %s', (_, text) => {
  expect(containerOfCgroups(parseCgroup(text))).toBe(one);
});

test.each([
  ['no container', '0::/system.slice/containerd.service\n'],
  ['hierarchies that disagree', `2:cpu:${pod}/${one}\n1:memory:${pod}/${other}\n`],
  ['one digit too many', `0::${pod}/${one}0\n`],
  ['nothing', ''],
])('no container is believed: %s', (_, text) => {
  expect(containerOfCgroups(parseCgroup(text))).toBeUndefined();
});
