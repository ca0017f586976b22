import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../../../core/failure.ts';
import { CliWorld, readyStatus } from './support/requests.ts';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.open();
  await world.snapshot('one', readyStatus);
  await world.restore('one-again');
});

/** What the last of the words may become. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { code, printed, complaints } = await world.run(['__complete', ...words]);
  expect([code, complaints]).toEqual([0, '']);
  return printed.trimEnd().split('\n');
}

describe('completion', () => {
  it.each([
    [['che'], ['checkpoint', ':4']],
    [
      ['checkpoint', ''],
      ['web', ':4'],
    ],
    [['checkpoint', '-n', 'empty', ''], [':4']],
    [
      ['checkpoint', 'web', '--after-capture', 'T'],
      ['Terminate', ':4'],
    ],
    [
      ['checkpoint', 'web', '--after-capture', '=', 'T'],
      ['Terminate', ':4'],
    ],
    [
      ['checkpoint', 'web', '--dry-run=s'],
      ['--dry-run=server', ':4'],
    ],
    [
      ['checkpoint', 'web', '--after'],
      ['--after-capture', ':4'],
    ],
    [
      ['restore', ''],
      ['one', ':4'],
    ],
    [
      ['describe', 'one'],
      ['one', 'one-again', ':4'],
    ],
    [
      ['list', 're'],
      ['restores', ':4'],
    ],
    [
      ['artifact', 'l'],
      ['list', ':4'],
    ],
    [['list', '--kubeconfig', ''], [':0']],
    [['nothing', ''], [':4']],
  ] as const)('of %j is %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected);
  });

  it('is silent where no cluster answers', async () => {
    world.kube.before = () => {
      throw new Failure('retry', 'ConnectionFailed', 'refused');
    };
    expect(await offered('restore', '')).toEqual([':4']);
  });

  it('works in a real bash', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'completion-'));
    try {
      const { printed: script } = await world.run(['completion', 'bash']);
      await writeFile(join(directory, 'script'), script);
      // In the place of the program: it says what it was asked, as a name that fits.
      const program = '#!/bin/sh\nshift\nprintf "one-%s\\n" "$*"\nprintf "two\\n:4\\n"\n';
      await writeFile(join(directory, 'cryopod'), program);
      await chmod(join(directory, 'cryopod'), 0o755);
      const line = [
        'source ./script',
        'COMP_WORDS=(cryopod delete o) COMP_CWORD=2',
        '_cryopod cryopod',
        'declare -p COMPREPLY',
      ].join('; ');
      const PATH = `${directory}:${process.env.PATH}`;
      const { stdout } = await execa('bash', ['-c', line], { cwd: directory, env: { PATH } });
      expect(stdout).toBe('declare -a COMPREPLY=([0]="one-delete o")');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is there for each shell, and for kubectl', async () => {
    for (const shell of ['bash', 'zsh', 'fish', 'kubectl']) {
      const { code, printed } = await world.run(['completion', shell]);
      expect([code, printed]).toEqual([0, expect.stringContaining('__complete')]);
    }
    expect((await world.run(['completion', 'csh'])).code).toBe(2);
  });
});
