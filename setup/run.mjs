/**
 * Program behind the npm scripts: checks the machine, installs what is missing, then runs the wanted
 * part of the project with Node 24. Plain JavaScript without dependencies, for Node 20 and later.
 */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDependencies } from './dependencies.mjs';
import { launch } from './launch.mjs';
import { checkMachine } from './machine.mjs';
import { installPackages } from './packages.mjs';
import { Obstacle } from './say.mjs';
import { runTests } from './tests.mjs';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

const help = `usage: node setup/run.mjs COMMAND [ARGUMENTS]

  start      the main job on a real cluster on this machine   (npm start -- --help)
  bed        the cluster by itself: up, down, kubectl, ...     (npm run bed -- --help)
  bench      measurements, beside what the machine does by itself (npm run bench -- --help)
  test       type check, lint, unit, integration and central end-to-end tests
  test:full  every other end-to-end case and fault; arguments of both go to vitest

Each first installs what it needs: npm packages (npm ci) when the lockfile asks for it and, as root on
Debian and Ubuntu, missing packages of the distribution.
`;

const programs = {
  start: join('test', 'bed', 'start.ts'),
  bed: join('test', 'bed', 'main.ts'),
  bench: join('test', 'bench', 'main.ts'),
};

async function main([command = 'help', ...args]) {
  const asksForHelp = args[0] === '--help' || args[0] === '-h';
  if (['help', '--help', '-h'].includes(command)) {
    process.stdout.write(help);
    return 0;
  }
  if (command in programs) {
    if (!asksForHelp) checkMachine(command === 'start' ? 'start' : `run ${command}`);
    installDependencies(root);
    if (!asksForHelp) installPackages();
    return launch(root, [programs[command], ...args]);
  }
  if (command === 'test' || command === 'test:full') {
    if (asksForHelp) {
      process.stdout.write(help);
      return 0;
    }
    checkMachine(command === 'test' ? 'test' : 'run test:full');
    installDependencies(root);
    installPackages();
    return runTests(root, command, args);
  }
  throw new Obstacle(`There is no command '${command}': node setup/run.mjs --help lists them.`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Obstacle)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
