import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch } from './launch.mjs';
import { elapsed, say } from './say.mjs';

/**
 * What each npm script runs: checks that must hold for the sources, and vitest's projects.
 */
const sets = {
  test: { checks: true, projects: ['unit', 'integration', 'e2e'] },
  'test:full': { checks: false, projects: ['full'] },
};

/**
 * Runs a set of tests; prints each skipped one with its reason and, as the last line, the counts.
 * @param {string} root the repository
 * @param {'test' | 'test:full'} name
 * @param {readonly string[]} args passed on to vitest
 * @returns {Promise<number>} exit code
 */
export async function runTests(root, name, args) {
  const set = sets[name];
  const failedChecks = set.checks ? await runChecks(root) : 0;
  // One run a project: what is fast and cheap fails first, and nothing runs beside a measured capture. (vitest itself starts with the slow ones.)
  const result = { passed: 0, failed: failedChecks, skipped: [] };
  for (const project of set.projects) {
    const part = await runVitest(root, project, args);
    result.passed += part.passed;
    result.failed += part.failed;
    result.skipped.push(...part.skipped);
  }
  const { failed } = result;
  for (const it of result.skipped) process.stdout.write(`skipped: ${it.name} (${it.reason})\n`);
  process.stdout.write(`${countsLine(result)}\n`);
  return failed > 0 || result.passed === 0 ? 1 : 0;
}

/**
 * The last line of a test run.
 * @param {{passed: number, failed: number, skipped: readonly unknown[]}} result
 */
export function countsLine({ passed, failed, skipped }) {
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed} failed${tail}`;
}

/** Type check and lint, both always; returns how many failed. Each counts as one test that failed. */
async function runChecks(root) {
  const checks = [
    { what: 'type check', words: [join('node_modules', 'typescript', 'bin', 'tsc'), '--noEmit'] },
    {
      what: 'lint',
      words: [join('node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'],
    },
  ];
  let failed = 0;
  for (const { what, words } of checks) {
    const time = elapsed();
    const code = await launch(root, words);
    say(`${what} ${code === 0 ? 'passed' : 'failed'} after ${time()}`);
    if (code !== 0) failed += 1;
  }
  return failed;
}

async function runVitest(root, project, args) {
  const folder = mkdtempSync(join(tmpdir(), 'cryopod-tests-'));
  const resultPath = join(folder, 'result.json');
  try {
    const code = await launch(
      root,
      [
        join('node_modules', 'vitest', 'vitest.mjs'),
        'run',
        '--project',
        project,
        // A name given by hand lies in one project only; that nothing ran at all is noticed by the caller.
        ...(args.length > 0 ? ['--passWithNoTests'] : []),
        '--reporter=default',
        `--reporter=${join(root, 'setup', 'result-reporter.mjs')}`,
        ...args,
      ],
      { CRYOPOD_TEST_RESULT: resultPath },
    );
    const result = readResult(resultPath);
    // A run that ended badly without a failed test, such as a bed that did not come up, failed itself.
    return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readResult(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: [] }; // vitest ended before it had results
  }
}
