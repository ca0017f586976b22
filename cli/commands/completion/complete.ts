import type { Command, Option } from 'commander';
import { type Kind, kinds } from '../../../core/api/kinds.ts';
import { isFailure } from '../../../core/failure.ts';
import {
  type CliContext,
  type KubeOptions,
  type KubeSession,
  withKube,
} from '../../kube-session.ts';
import { namesOf } from '../../read-object.ts';
import { exitCodes } from '../../terminal.ts';

const namespaceKind: Kind = {
  ...{ group: '', version: 'v1', kind: 'Namespace' },
  ...{ plural: 'namespaces', namespaced: false },
};

/** Whoever presses Tab does not wait longer. */
const requestTimeout = 3000;

/** Kinds whose names a command's arguments are. */
const argumentKinds: Readonly<Record<string, readonly Kind[]>> = {
  checkpoint: [kinds.pod],
  explain: [kinds.pod],
  restore: [kinds.podSnapshot],
  cancel: [kinds.podSnapshot],
  describe: [kinds.podSnapshot, kinds.podRestore],
  wait: [kinds.podSnapshot, kinds.podRestore],
  delete: [kinds.podSnapshot, kinds.podRestore],
  inspect: [kinds.podSnapshot],
  diff: [kinds.podSnapshot],
};

/** Words that a command's arguments are. */
const argumentWords: Readonly<Record<string, readonly string[]>> = {
  list: ['all', 'snapshots', 'restores', 'checkpoints', 'jobs'],
  completion: ['bash', 'zsh', 'fish', 'kubectl'],
};

/** Kinds whose names an option's value is. */
const optionKinds: Readonly<Record<string, Kind>> = {
  namespace: namespaceKind,
  toNode: kinds.node,
};

/** What the last word may become; `files`: the shell offers files. */
type Answer = { readonly words: readonly string[]; readonly files: boolean };

/** Answers a shell: what the last of these words may become. Says nothing where a cluster does not answer. */
export async function complete(
  program: Command,
  words: readonly string[],
  context: CliContext,
): Promise<void> {
  // bash splits --flag=value in three.
  const said = words.filter((word) => word !== '=');
  const last = words.at(-1) === '=' ? '' : (said.at(-1) ?? '');
  const before = words.at(-1) === '=' ? said : said.slice(0, -1);
  const { words: found, files } = await answer(program, before, last, context);
  const fitting = [...new Set(found)].filter((word) => word.startsWith(last));
  context.terminal.output.write([...fitting, files ? ':0' : ':4', ''].join('\n'));
  context.end(exitCodes.done);
}

async function answer(
  program: Command,
  before: readonly string[],
  last: string,
  context: CliContext,
): Promise<Answer> {
  const { command, rest } = commandOf(program, before);
  const words = (some: readonly string[]): Answer => ({ words: some, files: false });
  if (command.commands.length > 0) {
    return words(rest.length > 0 ? [] : command.commands.map((one) => one.name()));
  }
  const option = optionNamed(command, before.at(-1));
  if (option?.required === true) {
    if (option.argChoices !== undefined) return words(option.argChoices);
    const kind = optionKinds[option.attributeName()];
    if (kind === undefined) return { words: [], files: /<file>/.test(option.flags) };
    return words(await namesOnLine(command, rest.slice(0, -1), [kind], context));
  }
  const [, flag, value] = /^(--[a-z-]+)=(.*)$/.exec(last) ?? [];
  if (flag !== undefined && value !== undefined) {
    const choices = optionNamed(command, flag)?.argChoices ?? [];
    return words(choices.map((choice) => `${flag}=${choice}`));
  }
  if (last.startsWith('-')) {
    return words(command.options.map((one) => one.long ?? one.short ?? ''));
  }
  const known = argumentWords[command.name()];
  if (known !== undefined) return words(known);
  const wanted = argumentKinds[command.name()] ?? [];
  return words(await namesOnLine(command, rest, wanted, context));
}

/** The command that the words lead to, and the words after it. */
function commandOf(
  program: Command,
  words: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } {
  let command = program;
  let rest = words;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
    rest = rest.slice(1);
  }
  return { command, rest };
}

const optionNamed = (command: Command, flag: string | undefined): Option | undefined =>
  command.options.find(({ long, short }) => flag !== undefined && [long, short].includes(flag));

/** Names of the cluster and namespace that the flags on the line mean. */
async function namesOnLine(
  command: Command,
  words: readonly string[],
  wanted: readonly Kind[],
  context: CliContext,
): Promise<readonly string[]> {
  const names: string[] = [];
  const collect = async (session: KubeSession) => {
    for (const kind of wanted) names.push(...(await namesOf(session, kind)));
    return exitCodes.done;
  };
  try {
    command.parseOptions([...words]);
    const options: KubeOptions = { ...command.opts(), requestTimeout };
    if (wanted.length > 0) await withKube(options, context, collect);
  } catch (error) {
    // A half-typed line, or a cluster that does not answer: a shell shows what is known, and no complaint.
    if (!isFailure(error) && !isHalfTyped(error)) throw error;
  }
  return names;
}

const isHalfTyped = (error: unknown): boolean =>
  error instanceof Error && error.name === 'CommanderError';
