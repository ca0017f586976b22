import { describe, expect, it } from 'vitest';
import { files, sources } from './sources.ts';

const longestFileLines = 300;

describe('files', () => {
  it(`of TypeScript have at most ${longestFileLines} lines`, () => {
    const long = sources.filter(({ lines }) => lines > longestFileLines);
    expect(long.map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });

  it('of TypeScript are named in kebab-case, with no catch-all name', () => {
    const name =
      /^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.(test|contract|bench|config))?\.ts$/;
    const catchAll =
      /(^|[/-])(utils?|helpers?|common|misc|manager)([-./]|$)|(^|\/)(types|index)\.ts$/;
    const odd = sources.filter(({ path }) => !name.test(path) || catchAll.test(path));
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  it('declare nothing called a Manager and no I-prefixed interface', () => {
    const declaration = /\b(class|interface|type)\s+(\w*Manager\w*|I[A-Z][a-z]\w*)\b/;
    const odd = sources.filter(({ text }) => declaration.test(text));
    expect(odd.map(({ path, text }) => `${path}: ${declaration.exec(text)?.[0]}`)).toEqual([]);
  });

  it('of tests leave no test out', () => {
    const leaveOut = /\b(it|test|describe|suite)(\.\w+)*\.(skip|only|todo|fails)\b/;
    const odd = sources.filter(({ path, text }) => path.startsWith('test/') && leaveOut.test(text));
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  it('of tests replace no module', () => {
    const replace = /\bvi\.(mock|doMock|stubGlobal)\(/;
    const odd = sources.filter(({ path, text }) => path.startsWith('test/') && replace.test(text));
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  it('of products wait on a clock that a test can move', () => {
    const allowed = ['core/clock.ts'];
    const timer = /(?<![.\w])(setTimeout|setInterval)\(/;
    const odd = sources.filter(
      ({ path, text }) =>
        /^(core|runtime|controller|agent|cli)\//.test(path) &&
        !allowed.includes(path) &&
        timer.test(text),
    );
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  it('exist for the rules to look at', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(files).toContain('package.json');
  });
});
