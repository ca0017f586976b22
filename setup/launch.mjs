import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { nodePath } from './dependencies.mjs';

/**
 * Runs a program with the repository's Node 24 and tools first on PATH, on this terminal. Passes
 * signals on and resolves to its exit code (128 + number when a signal ended it).
 * @param {string} root the repository
 * @param {readonly string[]} args words after `node`
 * @param {Record<string, string>} environment added to this process'
 * @returns {Promise<number>}
 */
export function launch(root, args, environment = {}) {
  const tools = join(root, 'node_modules', '.bin');
  const child = spawn(nodePath(root), args, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...environment,
      PATH: `${tools}:${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
    },
  });
  const forward = (signal) => {
    // The terminal sends Ctrl-C to the whole group: a second copy would make the child give up hard.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const it of signals) process.off(it, forward);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
