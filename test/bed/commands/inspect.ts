import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isApiReady } from '../api-health.ts';
import { attachBed, kubectlWords } from '../bed.ts';
import { parsePart } from '../faults.ts';
import { enterNodeArgv } from '../node.ts';
import { bedPaths, bedsDirectory } from '../paths.ts';
import { isRunning } from '../process.ts';
import { readState } from '../state.ts';
import { named } from './cluster.ts';

type Named = { readonly name: string };

/** Runs a command on this terminal and ends with its exit code. */
async function become(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  await once(child, 'exit');
  process.exitCode = child.exitCode ?? 1;
}

async function printStatus(bed: string): Promise<void> {
  const state = readState(bed);
  if (state === undefined) {
    process.stdout.write(`${bed}: not there\n`);
    process.exitCode = 1;
    return;
  }
  const answers = await isApiReady(bed, state.port);
  process.stdout.write(
    `${bed}: ${state.phase}, ${state.nodes.length} nodes, https://127.0.0.1:${state.port} ${answers ? 'ready' : 'does not answer'}\n`,
  );
  for (const [role, identity] of Object.entries(state.processes)) {
    const what = isRunning(identity) ? `runs as ${identity.pid}` : 'does not run';
    process.stdout.write(`  ${role.padEnd(12)} ${what}\n`);
  }
}

function logPath(bed: string, what: string): string {
  const { logDirectory } = bedPaths(bed);
  const part = parsePart(what, readState(bed)?.nodes ?? []);
  if (part.kind === 'daemon') return join(logDirectory, part.node, `${part.daemon}.log`);
  return join(logDirectory, `${part.kind === 'node' ? part.node : part.role}.log`);
}

/** Commands that look into a bed: status, kubectl, node, logs. */
export function registerInspect(program: Command): void {
  program
    .command('status')
    .description('what runs, of one bed or of all')
    .option('--name <bed>', 'name of the bed')
    .action(async ({ name }: Partial<Named>) => {
      const folders = (await readdir(bedsDirectory).catch(() => [])).filter(
        (it) => !it.startsWith('.'),
      );
      const beds = name === undefined ? folders : [name];
      if (beds.length === 0) process.stdout.write('no beds\n');
      for (const bed of beds) await printStatus(bed);
    });
  named(program.command('kubectl'))
    .description('kubectl as administrator of the bed')
    .argument('[args...]')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: string[], { name }: Named) => {
      const { argv, environment } = kubectlWords(name);
      await become([...argv, ...args], environment);
    });
  named(program.command('node'))
    .description('run a command inside a node')
    .argument('<node>', 'such as node-a')
    .argument('<command...>')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (node: string, command: string[], { name }: Named) => {
      const bed = await attachBed(name);
      await become(await enterNodeArgv(bed.name, bed.node(node).name, command), {});
    });
  named(program.command('logs'))
    .description('log of a part: apiserver, etcd, kcm, scheduler, node-a, kubelet@node-a, ...')
    .argument('<what>')
    .option('-f, --follow', 'go on as it grows')
    .action(async (what: string, { name, follow }: Named & { readonly follow?: boolean }) => {
      await become(
        ['tail', '-n', '200', ...(follow === true ? ['-F'] : []), logPath(name, what)],
        {},
      );
    });
}
