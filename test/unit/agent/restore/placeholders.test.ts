import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodePlaceholders } from '../../../../agent/restore/placeholders.ts';
import { parsePod } from '../../../../core/api/workload.ts';

const uid = '77a7d3c4-6fa7-4bc0-b006-584e04af4b18';
const id = '3ba1e8f5b36da3d2725c12cc382ff0618fd94a77002fc29b2a0d1eb5fab8a93c';
const parsed = parsePod({ metadata: { name: 'pod', namespace: 'default', uid }, spec: {} });
let procRoot: string;

const volume = (pod: string, name: string, part: string): string =>
  `20 10 0:1 /kubelet/pods/${pod}/volumes/kubernetes.io~empty-dir/${name}/${part} /snapshot-control rw - ext4 /dev/vda rw\n`;
const ours = volume(uid, 'snapshot-control', 'main');

type Shown = {
  readonly numbers?: string;
  readonly ticks?: number;
  readonly state?: string;
  readonly mounts?: string;
};
function add(
  pid: number,
  { numbers = `${pid}\t1`, ticks = 700, state = 'S', mounts = ours }: Shown,
): void {
  const at = join(procRoot, String(pid));
  mkdirSync(at);
  const stat = `${pid} (init) ${state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${ticks} 0 0\n`;
  writeFileSync(join(at, 'stat'), stat);
  writeFileSync(join(at, 'status'), `Name:\tinit\nNSpid:\t${numbers}\n`);
  writeFileSync(join(at, 'mountinfo'), mounts);
  writeFileSync(join(at, 'cgroup'), `0::/kubepods/besteffort/pod${uid}/${id}\n`);
}
const find = async () => {
  if (!parsed.ok) throw new Error(parsed.message);
  return nodePlaceholders(procRoot).findInit(parsed.value, 'main', 700);
};

beforeEach(() => {
  procRoot = mkdtempSync(join(tmpdir(), 'proc-'));
  add(process.pid, { numbers: `${process.pid}`, ticks: 1, mounts: '' });
  if (process.pid !== 1) add(1, { numbers: '1', ticks: 1, mounts: '' });
});
afterEach(() => rmSync(procRoot, { recursive: true }));

test('the init of a placeholder is found by when it began and by its control volume', async () => {
  add(4001, { mounts: volume(uid, 'snapshot-control', 'sidecar') });
  add(4002, {});
  expect(await find()).toEqual({ process: { pid: 4002, startTicks: 700 }, containerID: id });
});

test.each<[string, Shown]>([
  ['that began at another time', { ticks: 701 }],
  ['that has ended', { state: 'Z' }],
  ['that is not the first of its container', { numbers: '4002\t2' }],
  ['of the node itself', { numbers: '4002' }],
  ['in a namespace further in', { numbers: '4002\t3\t1' }],
  ['of another pod', { mounts: volume(uid.replace('7', '8'), 'snapshot-control', 'main') }],
  ['with another volume there', { mounts: volume(uid, 'data', 'main') }],
  ["with another container's part of it", { mounts: volume(uid, 'snapshot-control', 'side') }],
  ['without a control volume', { mounts: '' }],
])('a process %s is no placeholder, whatever the pod says', async (_, shown) => {
  add(4002, shown);
  expect(await find()).toBeUndefined();
});
