import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const readme = await readFile('README.md', 'utf8');
const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  await readFile('package.json', 'utf8'),
);

/** Commands of the code blocks and of the table, without prompt. */
const commands = [...readme.matchAll(/^ {4}(?:\$ )?((?:npm|kubectl) .+)$|`(npm [^`]+)`/gm)].map(
  (match) => (match[1] ?? match[2] ?? '').trim(),
);

const npmCommands = commands.filter((command) => command.startsWith('npm '));
const scriptOf = (command: string): string => {
  const [, verb = '', name = ''] = command.split(/\s+/);
  return verb === 'run' ? name : verb;
};

describe('the README', () => {
  it('names commands', () => {
    expect(npmCommands).toContain('npm start');
    expect(npmCommands).toContain('npm test');
  });

  it.each(npmCommands)('`%s` is a script of package.json', (command) => {
    expect(scripts[scriptOf(command)]).toBeDefined();
  });

  it.each(npmCommands.filter((command) => scripts[scriptOf(command)]?.includes('setup/run.mjs')))(
    '`%s` explains itself with --help',
    async (command) => {
      const words = ['run', '-s', scriptOf(command), '--', '--help'];
      const { stdout } = await promisify(execFile)('npm', words);
      expect(stdout).toMatch(/usage|--/i);
    },
  );

  it.each(
    [...readme.matchAll(/\]\(((?!http)[^)#]+)\)|(crds\/examples\/\S+\.yaml)/g)].map(
      (match) => match[1] ?? match[2] ?? '',
    ),
  )('links to %s, which is there', async (path) => {
    await expect(access(path)).resolves.toBeUndefined();
  });

  it('stays under 200 lines', () => {
    expect(readme.split('\n').length).toBeLessThan(200);
  });
});
