import { cgroupFiles } from '../../../agent/restore/criu/cgroup-files.ts';
import { enterArguments } from '../../../agent/restore/criu/enter.ts';
import { stage } from '../../../agent/restore/criu/placeholder.ts';
import { criuEntry } from '../../../agent/restore/criu/run-criu.ts';
import type { Bed } from '../../bed/bed.ts';
import { inNode } from '../capture/node.ts';
import { findInit, type Placeholder, waiting } from './placeholders.ts';
import type { Snapshot } from './source.ts';

const tools = '/usr/libexec/cryopod';
const cgroupRoot = '/host/sys/fs/cgroup';

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** `criu restore` with the agent's options into a placeholder's namespaces and cgroups, from the agent's own images: nothing else of what the agent does. */
async function commandFor(
  bed: Bed,
  node: string,
  agentPid: number,
  snapshot: Snapshot,
  placeholder: Placeholder,
): Promise<string> {
  const startTicks = Number(await waiting(bed, node, placeholder));
  const pid = await findInit(bed, node, placeholder, startTicks);
  const cgroups = cgroupFiles(cgroupRoot, await inNode(bed, node, ['cat', `/proc/${pid}/cgroup`]));
  const process = { pid, startTicks };
  const entrance = {
    target: { container: snapshot.container, placeholder: process },
    entering: {
      ...{ enterPath: `${tools}/enter`, cgroupFiles: cgroups, stage, process },
      trees: { bundle: `${tools}/bundle` },
    },
  };
  const find = `ls -d ${snapshot.cachedAs}-*/containers/main/images`;
  const images = (await inNode(bed, node, ['bash', '-ec', find])).trim();
  const from = { images, connections: 'Close' } as const;
  const argv = enterArguments(criuEntry('/proc', entrance, from, {}));
  // In the agent's mount namespace: what is cloned into the placeholder must be mounted where the command runs.
  const words = ['env', '-i', `PATH=${stage}`, ...argv];
  return ['nsenter', '-t', String(agentPid), '-m', '--', ...words].map(quoted).join(' ');
}

/** Restores into all of them at once; resolves to when it began and when the last CRIU had ended, milliseconds of the wall clock. */
export async function restoreBare(
  bed: Bed,
  node: string,
  agentPid: number,
  snapshot: Snapshot,
  placeholders: readonly Placeholder[],
): Promise<{ readonly from: number; readonly to: number }> {
  const commands: string[] = [];
  for (const placeholder of placeholders) {
    commands.push(await commandFor(bed, node, agentPid, snapshot, placeholder));
  }
  const lines = commands.map((command, at) => `${command} & p${at}=$!`);
  const ends = commands.map((_, at) => `wait $p${at}`);
  const script = ['date +%s%N', ...lines, ...ends, 'date +%s%N'].join('\n');
  const text = await inNode(bed, node, ['bash', '-ec', script]);
  const [from = Number.NaN, to = Number.NaN] = text
    .trim()
    .split('\n')
    .map((word) => Number(BigInt(word) / 1000n) / 1000);
  return { from, to };
}
