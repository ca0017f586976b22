import { type Command, InvalidArgumentError, Option } from 'commander';
import { inspectArtifact } from '../inspection/inspected-artifact.ts';
import { openNamed, operandText } from '../inspection/opened-artifact.ts';
import type { CliContext } from '../kube-session.ts';
import { outputOption, structured } from '../output.ts';
import { exitCodes, exitCodesText } from '../terminal.ts';
import { storeOption } from './artifact/store-option.ts';
import { inspectionText } from './inspect/inspection-text.ts';

type Options = {
  readonly store?: string;
  readonly showSecrets: boolean;
  readonly mappings: number;
  readonly output: 'table' | 'json' | 'yaml';
};

function countArgument(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError('must be a number.');
  return Number(text);
}

/** `cryopod inspect SNAPSHOT`: what was running when the snapshot was taken, from the artifact itself. */
export function registerInspect(program: Command, { terminal, end }: CliContext): void {
  program
    .command('inspect')
    .description(
      'what a snapshot holds: processes, sockets, open files, memory, environment; read from its artifact',
    )
    .argument('<snapshot>')
    .addOption(storeOption(terminal).makeOptionMandatory(false))
    .option('--show-secrets', 'show what is masked otherwise', false)
    .addOption(
      new Option('--mappings <count>', 'how many of the largest mappings')
        .argParser(countArgument)
        .default(10),
    )
    .addOption(outputOption('table', 'json', 'yaml'))
    .addHelpText(
      'after',
      `
${operandText}

Examples:
  kubectl exec -n cryopod-system ds/cryopod-agent -- node dist/cli/main.js inspect team/web
  cryopod inspect oci-archive:web.tar -o json

Values of variables and arguments that look like secrets are masked. The artifact itself holds them: who can read it can read the memory.
${exitCodesText}`,
    )
    .action(async (operand: string, { store, output, showSecrets, mappings }: Options) => {
      const opened = await openNamed(operand, store, terminal.signal);
      try {
        const found = await inspectArtifact(opened, { showSecrets, mappings }, terminal.signal);
        terminal.output.write(
          output === 'table' ? inspectionText(found, mappings) : structured(output, found),
        );
        end(exitCodes.done);
      } finally {
        await opened.close();
      }
    });
}
