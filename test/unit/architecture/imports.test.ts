import { describe, expect, it } from 'vitest';
import { type Import, importsOf, readText, type Source, sources } from './sources.ts';

/** What the parts may import of each other; tests may import everything. */
const parts = {
  core: ['core'],
  runtime: ['core', 'runtime'],
  controller: ['core', 'runtime', 'controller'],
  agent: ['core', 'runtime', 'agent'],
  cli: ['core', 'runtime', 'cli'],
} as const satisfies Record<string, readonly string[]>;

/** Folders of the agent that the command line uses as a library: reading and keeping artifacts needs no agent (ADR 8). */
const lentToCli: readonly string[] = [
  'agent/artifact',
  'agent/criu-images',
  'agent/store',
  'agent/store/dir',
];

/** Folders of the agent that read formats and know no backend: backends may use them. */
const formats: readonly string[] = ['agent/criu-images', 'agent/proc'];

/** Packages that have one door. */
const doors: Readonly<Record<string, string>> = {
  '@kubernetes/client-node': 'runtime/kube.ts',
  'better-sqlite3': 'agent/journal/sqlite.ts',
  pkijs: 'controller/webhook/certificates/issue.ts',
  execa: 'agent/proc/run.ts',
};

/** The files that say what a backend or a store has to do; both sides may read them. */
const ports = ['agent/capture/backend.ts', 'agent/store/store.ts'];

const partOf = (path: string): string => path.split('/')[0] ?? '';
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const byPath: ReadonlyMap<string, Source> = new Map(sources.map((one) => [one.path, one]));

function broken(
  from: (path: string) => boolean,
  forbidden: (one: Import, source: Source) => boolean,
): readonly string[] {
  return sources
    .filter(({ path }) => from(path))
    .flatMap((source) =>
      source.imports
        .filter((one) => forbidden(one, source))
        .map(({ target }) => `${source.path} imports ${target}`),
    );
}

/** The folders of an adapter, from the port's to the file's: `agent/store/dir/a.ts` -> `agent/store`, `agent/store/dir`. */
function ownFolders(path: string): readonly string[] {
  const steps = folderOf(path).split('/');
  return steps.slice(1).map((_, index) => steps.slice(0, index + 2).join('/'));
}

/** Whether a file reaches down from its adapter into a folder of the same one: `agent/capture/criu/a.ts` -> `agent/capture/criu/b/c.ts`. */
function isBelowOwnAdapter(path: string, target: string): boolean {
  const adapter = path.split('/').slice(0, 3).join('/');
  return path.split('/').length > 3 && target.startsWith(`${adapter}/`);
}

/**
 * Why a decide.ts is not pure, if it is not: it may import core; the types of other files of its own folder; and values of files of
 * its own folder for which the same holds (a long table is cut into several files).
 */
function impurities(path: string, folder: string, seen: Set<string>): readonly string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  return (byPath.get(path)?.imports ?? []).flatMap((one) => {
    if (one.relative && partOf(one.target) === 'core') return [];
    if (!one.relative || folderOf(one.target) !== folder) return [`${path} imports ${one.target}`];
    return one.typeOnly ? [] : impurities(one.target, folder, seen);
  });
}

describe('imports', () => {
  it.each(Object.entries(parts))('of %s stay within %s', (part, allowed) => {
    const may: readonly string[] = allowed;
    expect(
      broken(
        (path) => partOf(path) === part,
        (one) =>
          one.relative &&
          !may.includes(partOf(one.target)) &&
          !(part === 'cli' && lentToCli.includes(folderOf(one.target))),
      ),
    ).toEqual([]);
  });

  it('of the command line load nothing of the agent but what is lent to it', () => {
    const loaded = new Set<string>();
    const load = (path: string): void => {
      if (loaded.has(path)) return;
      loaded.add(path);
      for (const one of byPath.get(path)?.imports ?? []) {
        if (one.relative && !one.typeOnly) load(one.target);
      }
    };
    load('cli/main.ts');
    const may = [...parts.cli, ...lentToCli];
    const odd = [...loaded].filter(
      (path) => !may.includes(partOf(path)) && !may.includes(folderOf(path)),
    );
    expect(odd).toEqual([]);
    expect(loaded.size).toBeGreaterThan(20);
  });

  it('of core need zod and nothing else, not even Node', () => {
    expect(
      broken(
        (path) => partOf(path) === 'core',
        (one) => !one.relative && one.target !== 'zod',
      ),
    ).toEqual([]);
  });

  it.each(Object.entries(doors))('of %s are in %s alone', (name, door) => {
    expect(
      broken(
        (path) => path !== door && !(name === 'execa' && partOf(path) === 'test'),
        (one) => one.target === name,
      ),
    ).toEqual([]);
  });

  it('of backends and stores reach core, proc, CRIU images, the ports and their own folder, never each other', () => {
    expect(
      broken(
        (path) => /^agent\/(capture|store)\//.test(path),
        (one, source) =>
          one.relative &&
          partOf(one.target) !== 'core' &&
          !formats.includes(folderOf(one.target)) &&
          !ports.includes(one.target) &&
          !ownFolders(source.path).includes(folderOf(one.target)) &&
          !isBelowOwnAdapter(source.path, one.target),
      ),
    ).toEqual([]);
  });

  it('of every decide.ts are core, and what in its own folder is as pure', () => {
    const decisions = sources.filter(({ path }) => path.endsWith('/decide.ts'));
    expect(decisions.flatMap(({ path }) => impurities(path, folderOf(path), new Set()))).toEqual(
      [],
    );
  });

  it('of packages are declared: those of the product as dependencies', () => {
    const manifest: { dependencies: object; devDependencies: object } = JSON.parse(
      readText('package.json'),
    );
    const product = new Set(Object.keys(manifest.dependencies));
    const all = new Set([...product, ...Object.keys(manifest.devDependencies)]);
    expect(
      broken(
        () => true,
        (one, { path }) =>
          !one.relative &&
          !one.target.startsWith('node:') &&
          !(partOf(path) in parts ? product : all).has(one.target),
      ),
    ).toEqual([]);
  });

  it('never go in a circle within a part', () => {
    const circles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) circles.push([...trail, path].join(' -> '));
      if (done.has(path) || trail.includes(path)) return;
      for (const one of byPath.get(path)?.imports ?? []) {
        if (one.relative && !one.typeOnly) visit(one.target, [...trail, path]);
      }
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(circles).toEqual([]);
  });
});

describe('importsOf', () => {
  it('sees every form of an import', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from './b.ts';",
      "import { type C, type D } from '../c.ts';",
      "import { type E, f } from './e.ts';",
      "import * as z from 'zod';",
      "export { g } from './g.ts';",
      "import 'side-effect/deep';",
      'import {\n  h,\n  type I,\n} from "@scope/name/deep.js";',
      "const j = await import('./j.ts');",
      "import k, { l } from 'node:fs';",
    ].join('\n');
    const seen = importsOf(text, 'agent/order/x.ts');
    expect(seen.map(({ target, typeOnly }) => `${target}${typeOnly ? ' (type)' : ''}`)).toEqual([
      'agent/order/a.ts',
      'agent/order/b.ts (type)',
      'agent/c.ts (type)',
      'agent/order/e.ts',
      'zod',
      'agent/order/g.ts',
      '@scope/name',
      'node:fs',
      'side-effect',
      'agent/order/j.ts',
    ]);
  });
});
