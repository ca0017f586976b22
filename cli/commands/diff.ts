import type { Command } from 'commander';
import { complain } from '../complaint.ts';
import { artifactDifference } from '../inspection/artifact-difference.ts';
import { openNamed, operandText } from '../inspection/opened-artifact.ts';
import type { CliContext } from '../kube-session.ts';
import { outputOption, structured } from '../output.ts';
import { type ExitCode, exitCodes } from '../terminal.ts';
import { storeOption } from './artifact/store-option.ts';
import { differenceText } from './diff/difference-text.ts';

type Options = { readonly store?: string; readonly output: 'table' | 'json' | 'yaml' };

/** `cryopod diff A B`: what changed between two snapshots, from their artifacts. */
export function registerDiff(program: Command, context: CliContext): void {
  const { terminal, end } = context;
  program
    .command('diff')
    .description(
      'what differs between two snapshots: facts, processes, memory, files; read from their artifacts',
    )
    .argument('<before>', 'SNAPSHOT')
    .argument('<after>', 'SNAPSHOT')
    .addOption(storeOption(terminal).makeOptionMandatory(false))
    .addOption(outputOption('table', 'json', 'yaml'))
    .addHelpText(
      'after',
      `
${operandText}

Memory is compared by the digests of its chunks, without reading it; layers of files are read where they differ.
Who took a snapshot when, and under which name, is no difference.

Examples:
  kubectl exec -n cryopod-system ds/cryopod-agent -- node dist/cli/main.js diff team/before team/after
  cryopod diff oci-archive:before.tar oci-archive:after.tar -o json

Exit codes, as of diff(1): 0 the same, 1 different, 2 called wrongly or they could not be compared, 3 not found, 130 interrupted.`,
    )
    .action(async (before: string, after: string, options: Options) => {
      try {
        end(await diff(before, after, options, context));
      } catch (error) {
        const code = complain(error, terminal);
        // 1 means that they differ, and a script must not read that from a damaged artifact.
        end(code === exitCodes.failed ? exitCodes.usage : code);
      }
    });
}

async function diff(
  before: string,
  after: string,
  { store, output }: Options,
  { terminal }: CliContext,
): Promise<ExitCode> {
  const { signal } = terminal;
  const first = await openNamed(before, store, signal);
  try {
    const second = await openNamed(after, store, signal);
    try {
      const found = await artifactDifference(first, second, signal);
      terminal.output.write(output === 'table' ? differenceText(found) : structured(output, found));
      return found.same ? exitCodes.done : exitCodes.failed;
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}
