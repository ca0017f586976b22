import { execa } from 'execa';
import { expect, test } from 'vitest';

/** Evaluates an expression with the exports of a set-up module, which are JavaScript without types. */
async function evaluate(module: string, expression: string): Promise<unknown> {
  const url = new URL(`../../../setup/${module}`, import.meta.url).href;
  const program = `const it = await import(${JSON.stringify(url)}); console.log(JSON.stringify(${expression}))`;
  const { stdout } = await execa('node', ['--input-type=module', '--eval', program]);
  return JSON.parse(stdout);
}

test('the last line of a run counts skipped tests only when there are any', async () => {
  expect(await evaluate('tests.mjs', 'it.countsLine({passed: 3, failed: 0, skipped: []})')).toBe(
    '3 passed, 0 failed',
  );
  expect(await evaluate('tests.mjs', 'it.countsLine({passed: 3, failed: 1, skipped: [1]})')).toBe(
    '3 passed, 1 failed, 1 skipped',
  );
});

test('npm ci runs when a package is missing, has another version or is one too many', async () => {
  const difference = (wanted: object, found: object): Promise<unknown> =>
    evaluate(
      'dependencies.mjs',
      `it.firstDifference(${JSON.stringify(wanted)}, ${JSON.stringify(found)}) ?? 'none'`,
    );
  const wanted = { '': {}, a: { version: '1.0.0' }, b: { version: '2.0.0', optional: true } };
  expect(await difference(wanted, { a: { version: '1.0.0' } })).toBe('none');
  expect(await difference(wanted, {})).toBe('a is not at 1.0.0');
  expect(await difference(wanted, { a: { version: '1.0.0' }, b: { version: '1.0.0' } })).toBe(
    'b is not at 2.0.0',
  );
  expect(await difference(wanted, { a: { version: '1.0.0' }, c: { version: '1.0.0' } })).toBe(
    'c is not in the lockfile',
  );
});

test('an unknown command is one sentence and exit code 1', async () => {
  const program = new URL('../../../setup/run.mjs', import.meta.url).pathname;
  const result = await execa('node', [program, 'frobnicate'], { reject: false });
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toBe(
    "There is no command 'frobnicate': node setup/run.mjs --help lists them.",
  );
});
