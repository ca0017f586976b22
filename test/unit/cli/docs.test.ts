import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { cryopodProgram } from '../../../cli/program.ts';
import { exitCodes } from '../../../cli/terminal.ts';
import { connectKube } from '../../../runtime/kube.ts';
import { readText } from '../architecture/sources.ts';

const documentation = readText('docs/cli.md');

/** Sections by heading: `checkpoint` -> its text. */
const sections = new Map(
  documentation
    .split(/^### `cryopod /m)
    .slice(1)
    .map((part) => [/^[a-z ]+/.exec(part)?.[0].trim() ?? '', part.split(/^## /m)[0] ?? '']),
);

const silent = (): PassThrough => new PassThrough();
const program = cryopodProgram({
  terminal: {
    ...{ input: silent(), output: silent(), errors: silent(), watched: false, answers: false },
    ...{ columns: () => 80, environment: {}, now: Date.now, signal: new AbortController().signal },
  },
  connect: connectKube,
  end: () => {},
});

/** Every command that does something, with its whole name. */
const leaves = (command: Command, name: string): readonly (readonly [string, Command])[] =>
  command.commands.length === 0
    ? [[name, command]]
    : command.commands.flatMap((one) => leaves(one, `${name} ${one.name()}`.trim()));
const commands = leaves(program, '');

/** Flags that all commands have which reach a cluster; the page tells them once. */
const clusterFlags = ['namespace', 'kubeconfig', 'context', 'cluster', 'user', 'request-timeout'];

const flagsOf = (command: Command): readonly string[] =>
  command.options.map(({ long, short }) => long ?? short ?? '');
const isClusterCommand = (command: Command): boolean => flagsOf(command).includes('--context');

describe('docs/cli.md', () => {
  it('has a section for every command, and no other', () => {
    expect([...sections.keys()].toSorted()).toEqual(commands.map(([name]) => name).toSorted());
  });

  it.each(commands)(
    'tells of %s every flag and argument there is, and no other',
    (name, command) => {
      const section = sections.get(name) ?? '';
      const shared = isClusterCommand(command) ? clusterFlags.map((flag) => `--${flag}`) : [];
      const told = [...section.matchAll(/^\| `(?:-[a-zA-Z], )?(--[a-z-]+)/gm)].map(
        ([, flag]) => flag,
      );
      const own = flagsOf(command).filter((flag) => !shared.includes(flag));
      expect(told.toSorted()).toEqual([...own].toSorted());
      const usage = command.registeredArguments.map((one) => {
        const shown = one.variadic ? `${one.name()}...` : one.name();
        return one.required ? `<${shown}>` : `[${shown}]`;
      });
      expect(section.split('\n')[0]).toBe([name, ...usage].join(' ').concat('`'));
    },
  );

  it.each(clusterFlags)('tells once of --%s', (flag) => {
    const [before = ''] = documentation.split(/^### /m);
    expect(before).toMatch(new RegExp(`^\\| \`(-[a-zA-Z], )?--${flag} `, 'm'));
  });

  it('tells every exit code', () => {
    const told = [...documentation.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(told).toEqual([...new Set(Object.values(exitCodes))]);
  });
});

describe('the help', () => {
  const helps = commands.filter(([, command]) => isClusterCommand(command));
  it.each(helps)('of %s shows examples that this program takes', (name, command) => {
    const help: string[] = [];
    command.configureOutput({ writeOut: (text) => help.push(text) }).outputHelp();
    const examples = [...help.join('').matchAll(/^ {2}cryopod (.+)$/gm)].map(
      ([, line = '']) => line,
    );
    expect(examples.length, name).toBeGreaterThan(0);
    for (const example of examples) {
      const words = example.split(' ');
      expect(example.startsWith(`${name} `) || example === name, example).toBe(true);
      const known = new Set(command.options.flatMap(({ long, short }) => [long, short]));
      const flags = words.filter((word) => word.startsWith('-')).map((word) => word.split('=')[0]);
      expect(flags.filter((flag) => !known.has(flag))).toEqual([]);
    }
  });
});
