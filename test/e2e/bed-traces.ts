import { readdir, readFile } from 'node:fs/promises';
import { run } from '../bed/command.ts';

/**
 * Everything on this machine that carries the name of a bed, found without the bed's own code: files,
 * namespaces, mounts, loop devices, cgroups, interfaces and processes.
 */
export async function tracesOf(bed: string): Promise<readonly string[]> {
  const found = await Promise.all([
    named('file', '/var/tmp/cryopod-beds', bed),
    named('network namespace', '/run/netns', `cryopod-${bed}`),
    mounts(bed),
    cgroups(bed),
    lines('loop device', await run(['losetup', '--all']), `/cryopod-beds/${bed}/`),
    lines('interface', await run(['ip', '-o', 'link']), bed),
    processes(bed),
  ]);
  return found.flat();
}

const lines = (kind: string, text: string, part: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.includes(part))
    .map((line) => `${kind} ${line}`);

async function named(kind: string, folder: string, part: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((it) => it.includes(part)).map((it) => `${kind} ${folder}/${it}`);
}

async function mounts(bed: string): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return [
    ...lines('mount', text, `/cryopod-beds/${bed}`),
    ...lines('mount', text, `cryopod-${bed}`),
  ];
}

async function cgroups(bed: string): Promise<readonly string[]> {
  const text = await run(['find', '/sys/fs/cgroup', '-type', 'd', '-name', `cryopod-${bed}`]);
  return lines('cgroup', text, bed);
}

async function processes(bed: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((it) => /^\d+$/.test(it));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string): Promise<string> =>
        readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => ''); // it ended meanwhile
      const environment = (await read('environ')).split('\0');
      const command = await read('cmdline');
      const belongs =
        environment.includes(`CRYOPOD_BED=${bed}`) || command.includes(`/cryopod-beds/${bed}/`);
      return belongs ? [`process ${pid} ${command.replaceAll('\0', ' ')}`] : [];
    }),
  );
  return found.flat();
}

/** Values of the machine-wide settings that a kubelet likes to change. */
export async function machineSettings(): Promise<string> {
  const names = ['vm.overcommit_memory', 'vm.panic_on_oom', 'kernel.panic', 'kernel.panic_on_oops'];
  return run(['sysctl', ...names, 'net.ipv4.ip_forward']);
}
