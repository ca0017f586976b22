import { Obstacle } from './say.mjs';

/**
 * Architectures that a bed runs on, by Node's names.
 */
const architectures = ['x64', 'arm64'];

/**
 * Throws an Obstacle on a machine that can never run this, before anything is changed.
 * @param {string} command the npm script that was asked for
 */
export function checkMachine(command) {
  if (process.platform !== 'linux') {
    throw new Obstacle(
      `npm ${command} needs Linux with root rights, as it runs a real cluster in kernel namespaces: run it in a Linux machine or virtual machine.`,
    );
  }
  if (!architectures.includes(process.arch)) {
    throw new Obstacle(
      `npm ${command} runs on ${architectures.join(' and ')}, not on ${process.arch}: use a machine of one of these.`,
    );
  }
  if (process.getuid() !== 0) {
    throw new Obstacle(
      `npm ${command} needs root for namespaces, mounts and CRIU: run it again as root, such as with sudo.`,
    );
  }
}
