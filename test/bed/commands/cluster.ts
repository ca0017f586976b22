import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { attachBed, downBed, upBed } from '../bed.ts';
import { logToTerminal } from '../progress.ts';

type Named = { readonly name: string };

/** Adds the option that every command has. */
export const named = (command: Command): Command =>
  command.option('--name <bed>', 'name of the bed', 'default');

function nodeCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0 || count > 9) {
    throw new InvalidArgumentError('a bed has 0 to 9 nodes');
  }
  return count;
}

/** Commands about a bed as a whole: up, down, install, load. */
export function registerCluster(program: Command): void {
  named(program.command('up'))
    .description('bring a bed up, or say that it is')
    .option('--nodes <count>', 'nodes; 0 is etcd and the API server alone', nodeCount, 2)
    .action(async ({ name, nodes }: Named & { readonly nodes: number }) => {
      const bed = await upBed({ name, nodes, log: logToTerminal });
      if (nodes > 0) process.stdout.write(await bed.kubectl(['get', 'nodes', '-o', 'wide']));
      process.stdout.write(`export KUBECONFIG=${bed.kubeconfigPath}\n`);
    });
  named(program.command('down'))
    .description('remove a bed and everything of it; also after a crash')
    .action(async ({ name }: Named) => {
      await downBed(name, logToTerminal);
      logToTerminal(`bed ${name} is gone`);
    });
  named(program.command('install'))
    .description('install Cryopod into the bed')
    .action(async ({ name }: Named) => {
      const { installCryopod } = await import('../install.ts');
      await installCryopod(await attachBed(name, logToTerminal), { log: logToTerminal });
    });
  named(program.command('load'))
    .description('import an image archive (OCI or docker) into every node')
    .argument('<archive>', 'path of the tar')
    .action(async (archive: string, { name }: Named) => {
      await (await attachBed(name, logToTerminal)).load(archive);
    });
}
