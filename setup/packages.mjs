import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, Obstacle, say } from './say.mjs';

const capSysResource = 24n;

/**
 * What the machine needs: a test for its presence, the Debian package that brings it, and why.
 * @typedef {{present: () => boolean, packages: readonly string[], why: string}} Need
 */

/**
 * @param {string} name
 * @returns {boolean}
 */
function onPath(name) {
  const folders = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':');
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}

/**
 * Whether root may raise limits of other processes; where not, CRIU needs a small shim built here.
 */
function hasSysResource() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return ((mask >> capSysResource) & 1n) === 1n;
}

/** @type {readonly Need[]} */
const needs = [
  program('ip', 'iproute2', 'network namespaces'),
  program('nsenter', 'util-linux', 'namespaces'),
  program('unshare', 'util-linux', 'namespaces'),
  program('mount', 'mount', 'mounts'),
  program('mkfs.ext4', 'e2fsprogs', 'the shared store'),
  program('openssl', 'openssl', 'certificates'),
  program('mmdebstrap', 'mmdebstrap', 'the root file system of nodes'),
  program('buildah', 'buildah', 'building images'),
  program('skopeo', 'skopeo', 'reading artifacts with another tool'),
  {
    present: () => existsSync('/usr/share/keyrings/debian-archive-keyring.gpg'),
    packages: ['debian-archive-keyring'],
    why: "checking Debian's signatures",
  },
  {
    present: () => hasSysResource() || (onPath('gcc') && existsSync('/usr/include/stdio.h')),
    packages: ['gcc', 'libc6-dev'],
    why: 'the prlimit shim, as this root lacks CAP_SYS_RESOURCE',
  },
];

/**
 * @param {string} name
 * @param {string} packageName
 * @param {string} why
 * @returns {Need}
 */
function program(name, packageName, why) {
  return { present: () => onPath(name), packages: [packageName], why };
}

/**
 * Installs what the bed needs and the machine lacks, with apt-get. Throws an Obstacle that names the
 * packages where there is no apt-get or it fails.
 */
export function installPackages() {
  const missing = needs.filter((need) => !need.present());
  if (missing.length === 0) return;
  const names = [...new Set(missing.flatMap((need) => need.packages))];
  const why = [...new Set(missing.map((need) => need.why))].join(', ');
  if (!onPath('apt-get')) {
    throw new Obstacle(
      `This machine lacks ${names.join(', ')} (for ${why}): install them with its package manager and run the command again.`,
    );
  }
  const time = elapsed();
  say(`installing ${names.join(', ')} with apt-get, for ${why}`);
  // Lists that were never fetched, or are stale, show only in a failed install.
  let outcome = aptGet(['install', '--yes', '--no-install-recommends', ...names]);
  if (outcome.status !== 0) {
    say('apt-get update, because the package lists are missing or stale');
    aptGet(['update']);
    outcome = aptGet(['install', '--yes', '--no-install-recommends', ...names]);
  }
  const left = missing.filter((need) => !need.present());
  if (outcome.status !== 0 || left.length > 0) {
    const said = outcome.stderr.trim().split('\n').slice(-3).join(' ');
    throw new Obstacle(
      `apt-get could not install ${names.join(' ')}: install them by hand and run the command again (it said: ${said}).`,
    );
  }
  say(`installed ${names.join(', ')} in ${time()}`);
}

function aptGet(args) {
  return spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}
