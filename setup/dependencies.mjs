import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, Obstacle, say } from './say.mjs';

/**
 * Why node_modules is not what the lockfile asks for, or undefined when it is. npm writes its own
 * record as the last step of an install, so it serves as the stamp: a half-made folder has none.
 * @param {string} root the repository
 * @returns {string | undefined}
 */
export function installReason(root) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return 'node_modules is not there';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const found = JSON.parse(readFileSync(record, 'utf8')).packages;
  return firstDifference(wanted, found);
}

/**
 * First package in which two lists of packages differ. Optional ones may be absent: npm leaves out
 * those for other machines.
 * @param {Record<string, {version?: string, optional?: boolean, peer?: boolean}>} wanted
 * @param {Record<string, {version?: string}>} found
 * @returns {string | undefined}
 */
export function firstDifference(wanted, found) {
  for (const [path, { version, optional = false }] of Object.entries(wanted)) {
    if (path === '') continue;
    const here = found[path];
    if (here === undefined && optional) continue;
    if (here?.version !== version) return `${path} is not at ${version}`;
  }
  const extra = Object.keys(found).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra} is not in the lockfile`;
}

/**
 * Runs `npm ci` when the lockfile asks for it.
 * @param {string} root the repository
 */
export function installDependencies(root) {
  const reason = installReason(root) ?? nodeReason(root);
  if (reason === undefined) return;
  const time = elapsed();
  say(`npm ci, because ${reason}: about 20 s`);
  const npm = process.env.npm_execpath;
  const [file, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const done = spawnSync(file, [...first, 'ci'], { cwd: root, encoding: 'utf8' });
  if (done.status !== 0) {
    const lines = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim().split('\n').slice(-8);
    throw new Obstacle(`npm ci failed, mend this and run the command again:\n${lines.join('\n')}`);
  }
  const missing = nodeReason(root);
  if (missing !== undefined) {
    throw new Obstacle(
      `npm ci left no Node 24 (${missing}): run it without --omit=optional and with access to the package node-linux-${process.arch}.`,
    );
  }
  say(`npm ci took ${time()}`);
}

/**
 * Path of the Node 24 that the dependencies bring; the machine's own Node may be older.
 * @param {string} root the repository
 */
export function nodePath(root) {
  return join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

function nodeReason(root) {
  return existsSync(nodePath(root)) ? undefined : `${nodePath(root)} is not there`;
}
