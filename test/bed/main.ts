import { Command } from 'commander';
import { registerCluster } from './commands/cluster.ts';
import { registerInspect } from './commands/inspect.ts';
import { registerParts } from './commands/parts.ts';

const program = new Command('bed')
  .description('A real Kubernetes cluster on this machine, for tests and trials')
  .enablePositionalOptions()
  .showHelpAfterError();

registerCluster(program);
registerInspect(program);
registerParts(program);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
