import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const words = [program, 'list', '--kubeconfig', '/nowhere'];
const environment = { PATH: process.env.PATH ?? '', TERM: 'xterm-256color' };

/** The program behind a terminal of its own. */
const onTerminal = (more: Readonly<Record<string, string>>) =>
  execa('script', ['-qec', [process.execPath, ...words].join(' '), '/dev/null'], {
    ...{ extendEnv: false, env: { ...environment, ...more }, reject: false, stdin: 'ignore' },
  });

it('has colours on a terminal only, and never with NO_COLOR', async () => {
  const coloured = await onTerminal({});
  expect(coloured.exitCode).toBe(1);
  expect(coloured.stdout).toContain('\u001b[31merror:\u001b[39m no Kubernetes API server');
  expect((await onTerminal({ NO_COLOR: '1' })).stdout).not.toContain('\u001b[');
  const env = { ...environment, FORCE_COLOR: '1' };
  const piped = await execa(process.execPath, words, { extendEnv: false, env, reject: false });
  expect([piped.stdout, piped.stderr]).toEqual([
    '',
    expect.stringMatching(/^error: no Kubernetes/),
  ]);
});
