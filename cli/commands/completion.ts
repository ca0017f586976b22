import { Argument, type Command } from 'commander';
import type { CliContext } from '../kube-session.ts';
import { exitCodes } from '../terminal.ts';
import { completionScripts, completionShells } from './completion/scripts.ts';

/** `cryopod completion SHELL`: the script that teaches a shell to complete. */
export function registerCompletion(program: Command, { terminal, end }: CliContext): void {
  program
    .command('completion')
    .description('print the script that makes a shell complete commands, flags and names')
    .addArgument(new Argument('<shell>', 'for which').choices(completionShells))
    .addHelpText(
      'after',
      `
Examples:
  source <(cryopod completion bash)
  cryopod completion zsh > "\${fpath[1]}/_cryopod"
  cryopod completion fish > ~/.config/fish/completions/cryopod.fish
  cryopod completion kubectl > /usr/local/bin/kubectl_complete-cryopod && chmod +x /usr/local/bin/kubectl_complete-cryopod

The last makes kubectl complete what follows \`kubectl cryopod\`. Names come from the cluster that the flags on the line mean.
`,
    )
    .action((shell: (typeof completionShells)[number]) => {
      terminal.output.write(completionScripts[shell]);
      end(exitCodes.done);
    });
}
