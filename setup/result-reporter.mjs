import { writeFileSync } from 'node:fs';

/**
 * Vitest reporter: writes counts, and each skipped test with its reason, as JSON to the file named by
 * CRYOPOD_TEST_RESULT. (The built-in JSON reporter leaves the reasons out.)
 */
export class ResultReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const result = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      // A file that cannot be loaded, or whose hooks fail, has errors of its own and maybe no tests.
      if (module.errors().length > 0) result.failed += 1;
      for (const test of module.children.allTests()) {
        const outcome = test.result();
        if (outcome.state === 'passed') result.passed += 1;
        else if (outcome.state === 'failed') result.failed += 1;
        else {
          const name = `${module.relativeModuleId}: ${test.fullName}`;
          result.skipped.push({ name, reason: outcome.note ?? 'no reason given' });
        }
      }
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) result.failed += 1;
      }
    }
    writeFileSync(process.env.CRYOPOD_TEST_RESULT, JSON.stringify(result));
  }
}

// biome-ignore lint/style/noDefaultExport: vitest takes a reporter from the default export
export default ResultReporter;
