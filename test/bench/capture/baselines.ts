import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Kind } from '../../../core/api/kinds.ts';
import type { ConnectedKube } from '../../../runtime/kube.ts';
import type { Bed } from '../../bed/bed.ts';
import { shimCriuPath, shimNeeded } from '../../bed/shim/prlimit.ts';
import { inNode, settleDisk, timedInNode } from './node.ts';
import { namespace, type Source } from './source.ts';

/** On the file system that the agent stages on, and on that of its store. */
const images = '/var/lib/cryopod/bench-images';
const copy = '/var/lib/cryopod-store/bench-copy';

/** What the machine does with the same process and the same bytes by itself. Milliseconds. */
export type Baselines = {
  /** `criu dump` with the options of the artifact, from its start to its end. */
  readonly bareDump: number;
  /** Of that, what the source stood still, by CRIU's own log. */
  readonly bareFreeze: number;
  readonly bareDumpSynced: number;
  readonly kubeletCheckpoint: number;
  /** Of the images of the bare dump: into the store's file system, and synced there. */
  readonly copySynced: number;
  /** All processors at once. */
  readonly sha256sum: number;
  readonly zstd1: number;
  /** Bytes of those images. */
  readonly imageBytes: number;
};

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

async function dumpCommand(source: Source, options: readonly string[]): Promise<string> {
  const criu = (await shimNeeded()) ? shimCriuPath : '/usr/sbin/criu';
  const pid = String(source.pid);
  const words = [
    ...[criu, 'dump', '--no-default-config', '--tree', pid, '--images-dir', images],
    ...['--log-file', 'dump.log', '-v4', '--root', `/proc/${pid}/root`, ...options],
  ];
  return words.map(quoted).join(' ');
}

/** From the line before the first task was seized to the last line: CRIU ends right after the thaw. */
export function frozenMilliseconds(log: string): number {
  const lines = [...log.matchAll(/^\((\d+\.\d+)\)\s?(.*)$/gm)];
  const seized = lines.findIndex(([, , text = '']) => text.startsWith('Seized task'));
  const from = Number(lines[seized - 1]?.[1]);
  return (Number(lines.at(-1)?.[1]) - from) * 1000;
}

const checkpointKind = (node: string, source: Source): Kind => ({
  group: '',
  version: 'v1',
  kind: 'Checkpoint',
  plural: `nodes/${node}/proxy/checkpoint/${namespace}/${source.name}/main`,
  namespaced: false,
});

/** The kubelet's own API, asked through the API server; what it wrote is removed. */
async function kubeletCheckpoint(
  bed: Bed,
  kube: ConnectedKube,
  node: string,
  source: Source,
): Promise<number> {
  const from = performance.now();
  const signal = AbortSignal.timeout(300_000);
  await kube.create(checkpointKind(node, source), {}, { dryRun: false }, signal);
  const took = performance.now() - from;
  await inNode(bed, node, ['sh', '-c', 'rm -rf /var/lib/kubelet/checkpoints/*']);
  return took;
}

/** Measures all of them once. `options`: CRIU's, as the artifact of the same source records them. */
export async function measureBaselines(
  bed: Bed,
  kube: ConnectedKube,
  node: string,
  source: Source,
  options: readonly string[],
): Promise<Baselines> {
  const timed = async (command: string): Promise<number> => {
    await settleDisk();
    return timedInNode(bed, node, command);
  };
  const fresh = (): Promise<string> =>
    inNode(bed, node, ['sh', '-c', `rm -rf ${images} ${copy}; mkdir -m 700 ${images}`]);
  const dump = await dumpCommand(source, options);
  await fresh();
  const bareDumpSynced = await timed(`${dump}; sync -f ${images}`);
  await fresh();
  const bareDump = await timed(dump);
  const imagesHere = join(bed.node(node).rootPath, images);
  const bareFreeze = frozenMilliseconds(await readFile(join(imagesHere, 'dump.log'), 'utf8'));
  const imageBytes = Number(
    (await inNode(bed, node, ['du', '-sb', '--apparent-size', images])).split('\t')[0],
  );
  const copySynced = await timed(`cp -r ${images} ${copy}; sync -f ${copy}`);
  const sha256sum = await timed(hashCommand(imageBytes));
  const zstd1 = await compress(imagesHere);
  await inNode(bed, node, ['rm', '-rf', images, copy]);
  await settleDisk();
  const kubelet = await kubeletCheckpoint(bed, kube, node, source);
  return {
    ...{ bareDump, bareFreeze, bareDumpSynced, kubeletCheckpoint: kubelet },
    ...{ copySynced, sha256sum, zstd1, imageBytes },
  };
}

/** The largest pages file, a part of it for each processor. */
function hashCommand(imageBytes: number): string {
  const blocks = Math.ceil(imageBytes / 2 ** 20 / cpus().length);
  const part = (_: unknown, at: number): string =>
    `dd if="$file" bs=1M skip=${at * blocks} count=${blocks} status=none | sha256sum &`;
  return `file=$(ls -S ${images}/pages-*.img | head -1); ${cpus().map(part).join(' ')} wait`;
}

/** On this machine: nodes have no zstd. */
async function compress(imagesHere: string): Promise<number> {
  const from = performance.now();
  await execa('sh', ['-c', `cat ${quoted(imagesHere)}/*.img | zstd -q -1 -T1 -c > /dev/null`]);
  return performance.now() - from;
}
