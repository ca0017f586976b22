import { describe, expect, it } from 'vitest';
import { readText, sources } from './sources.ts';

/** Rows of the table under "Metrics" in docs/operations.md: name, labels, who has it. */
const rows = (
  readText('docs/operations.md')
    .split(/^## /m)
    .find((part) => part.startsWith('Metrics\n')) ?? ''
)
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').slice(1, -1))
  .map(([metric = '', of = '', meaning = '']) => ({
    name: metric
      .replaceAll('`', '')
      .trim()
      .replace(/\{.*\}$/, ''),
    of: of.trim(),
    meaning: meaning.trim(),
  }));

/** Every name of a metric in the programs: prom-client is given them as literals. */
const namesIn = (...folders: readonly string[]): ReadonlySet<string> =>
  new Set(
    sources
      .filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)))
      .flatMap(({ text }) =>
        [...text.matchAll(/'(cryopod_[a-z_]+)'/g)].map(([, name = '']) => name),
      ),
  );

describe('the table of metrics in docs/operations.md', () => {
  it('has each metric of the programs once, and no other', () => {
    const names = namesIn('agent', 'controller', 'runtime');
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...names].toSorted());
  });

  it('says who has it and what it means', () => {
    const agent = namesIn('agent');
    const controller = namesIn('controller');
    for (const { name, of, meaning } of rows) {
      expect(of, name).toMatch(/^(C|A|C A)$/);
      expect(meaning.length, name).toBeGreaterThan(10);
      if (agent.has(name)) expect(of, name).toContain('A');
      if (controller.has(name)) expect(of, name).toContain('C');
    }
  });
});
