import { describe, expect, it } from 'vitest';
import { files, readText } from './sources.ts';

/** The last cell of each row that names a test: its file and its title. */
const rows = readText('docs/control-plane.md')
  .split('\n')
  .flatMap((line) => {
    const cell = line.split(/(?<!\\)\|/).at(-2) ?? '';
    const found = /^ `(test\/[^`]+)` (.+) $/.exec(cell);
    return found === null ? [] : [{ path: found[1] ?? '', title: found[2] ?? '' }];
  });

describe('docs/control-plane.md', () => {
  it('names tests that there are', () => {
    expect(rows.length).toBeGreaterThan(50);
    const known = new Set(files);
    const absent = rows.filter(
      ({ path, title }) => !known.has(path) || !readText(path).includes(title),
    );
    expect(absent).toEqual([]);
  });
});
