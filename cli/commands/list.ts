import { type Command, InvalidArgumentError } from 'commander';
import {
  addAllNamespacesOption,
  addKubeOptions,
  type CliContext,
  type KubeOptions,
  withKube,
} from '../kube-session.ts';
import { type OutputForm, outputOption } from '../output.ts';
import { requestWord } from '../request/named.ts';
import { type RequestWord, requestWords } from '../request/view.ts';
import { exitCodesText } from '../terminal.ts';
import { listRequests } from './list/list-requests.ts';

type Options = KubeOptions & { readonly selector?: string; readonly output: OutputForm };

function wordsArgument(text: string): readonly RequestWord[] {
  if (text === 'all') return requestWords;
  return text.split(',').map((part) => {
    const word = requestWord(part);
    if (word === undefined) {
      throw new InvalidArgumentError(
        `must be all, or of ${requestWords.map((one) => `${one}s`).join(', ')}.`,
      );
    }
    return word;
  });
}

/** `cryopod list [KINDS]`: what was asked for and how far it is. */
export function registerList(program: Command, context: CliContext): void {
  const command = program
    .command('list')
    .description('snapshots, restores, checkpoints and jobs: in one table, or one kind')
    .argument(
      '[kinds]',
      'all, snapshots, restores, checkpoints, jobs, or several: snapshots,restores',
      wordsArgument,
    )
    .option('-l, --selector <labels>', 'only what has these labels, as kubectl takes them')
    .addOption(outputOption('table', 'wide', 'json', 'yaml', 'name'));
  addAllNamespacesOption(addKubeOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  cryopod list
  cryopod list snapshots -A -o wide
  cryopod list restores -l app=web -o name

Oldest first. -o wide adds what is waited for, or why it ended.
${exitCodesText}`,
    )
    .action((words: readonly RequestWord[] | undefined, options: Options) =>
      withKube(options, context, (session) => {
        const { selector, output, allNamespaces = false } = options;
        const what = { words: words ?? requestWords, selector, output, allNamespaces };
        return listRequests(session, what);
      }),
    );
}
