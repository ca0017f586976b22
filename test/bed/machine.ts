import { access, mkdir, readFile, statfs } from 'node:fs/promises';
import { goArchitecture } from './cascade.ts';
import { attempt } from './command.ts';
import type { NodeTraits } from './node-config.ts';
import { bedsDirectory } from './paths.ts';

const capSysResource = 24n;
const overlayMagic = 0x794c7630;

/** Programs of the machine that a bed calls, with the Debian package that brings each. */
const neededPrograms: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  mmdebstrap: 'mmdebstrap',
  'mkfs.ext4': 'e2fsprogs',
  nsenter: 'util-linux',
  openssl: 'openssl',
  unshare: 'util-linux',
};

/** Files that exist only with a kernel option, and the option. */
const neededKernelFiles: Readonly<Record<string, string>> = {
  '/proc/self/ns/cgroup': 'CONFIG_CGROUPS',
  '/proc/self/ns/net': 'CONFIG_NET_NS',
  '/proc/self/ns/pid': 'CONFIG_PID_NS',
  '/proc/sys/kernel/ns_last_pid': 'CONFIG_CHECKPOINT_RESTORE',
};

/** Checks that a bed can run here and returns what differs from a plain machine. Throws one sentence. */
export async function checkMachine(): Promise<NodeTraits> {
  if (process.platform !== 'linux') {
    throw new Error(`A bed needs Linux: run this on a Linux machine, not on ${process.platform}.`);
  }
  if (process.getuid?.() !== 0) {
    throw new Error('A bed needs root: run the command again with sudo.');
  }
  goArchitecture(process.arch);
  for (const [program, packageName] of Object.entries(neededPrograms)) {
    const found = await attempt(['which', program], {});
    if (found.exitCode !== 0) {
      throw new Error(`A bed needs ${program}: apt-get install ${packageName}.`);
    }
  }
  for (const [path, option] of Object.entries(neededKernelFiles)) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (!there) throw new Error(`A bed needs a kernel with ${option}: boot one that has it.`);
  }
  if (!(await readFile('/proc/filesystems', 'utf8')).includes('\toverlay\n')) {
    throw new Error('A bed needs overlayfs: load it with "modprobe overlay".');
  }
  await mkdir(bedsDirectory, { recursive: true, mode: 0o700 });
  if ((await statfs(bedsDirectory)).type === overlayMagic) {
    throw new Error(
      `A bed needs ${bedsDirectory} on a plain file system, as overlayfs does not stack: mount a disk or a tmpfs there.`,
    );
  }
  return { restrictOomScore: !(await hasCapability(capSysResource)) };
}

async function hasCapability(bit: bigint): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> bit) & 1n) === 1n;
}

/** Whether this root may raise its own limits; without it CRIU needs the prlimit shim. */
export const hasSysResource = async (): Promise<boolean> => hasCapability(capSysResource);
