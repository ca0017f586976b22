import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const left = new Set(['node_modules', 'dist', '.git', 'shared']);

/** One import of a file. `target`: a path from the repository's root, or the name of a package or `node:` module. */
export type Import = {
  readonly target: string;
  readonly relative: boolean;
  readonly typeOnly: boolean;
};

/** A TypeScript file; `path` from the repository's root. */
export type Source = {
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
};

function walk(directory: string): readonly string[] {
  return readdirSync(`${root}${directory}`, { withFileTypes: true }).flatMap((entry) => {
    if (left.has(entry.name)) return [];
    const path = posix.join(directory, entry.name);
    return entry.isDirectory() ? walk(path) : entry.isFile() ? [path] : [];
  });
}

/** Paths of all files of the repository but those of packages and builds. */
export const files: readonly string[] = walk('.').map((path) => posix.normalize(path));

/** The text of a file of the repository. */
export const readText = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function targetOf(specifier: string, from: string): Pick<Import, 'target' | 'relative'> {
  if (specifier.startsWith('.')) {
    return { target: posix.join(posix.dirname(from), specifier), relative: true };
  }
  const builtin = specifier.startsWith('node:') || builtinModules.includes(specifier);
  return { target: builtin ? specifier : packageOf(specifier), relative: false };
}

/** `import type {..}` and `import { type A, type B }` leave nothing behind at run time. */
function isTypeOnly(keyword: string, names: string): boolean {
  if (keyword !== '') return true;
  const braced = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
  if (braced === undefined) return false;
  const list = braced.split(',').filter((name) => name.trim() !== '');
  return list.length > 0 && list.every((name) => name.trim().startsWith('type '));
}

/** The imports, re-exports and dynamic imports in a text, as they stand at the start of a line, or dynamic with a constant name. */
export function importsOf(text: string, path: string): readonly Import[] {
  const still = /^(?:import|export)\s+(type\s+(?!from))?([^'";]*?)\s*from\s*['"]([^'"]+)['"]/gm;
  const bare = /^import\s+['"]([^'"]+)['"]/gm;
  const dynamic = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;
  return [
    ...[...text.matchAll(still)].map(([, keyword = '', names = '', specifier = '']) => ({
      ...targetOf(specifier, path),
      typeOnly: isTypeOnly(keyword, names),
    })),
    ...[...text.matchAll(bare), ...text.matchAll(dynamic)].map(([, specifier = '']) => ({
      ...targetOf(specifier, path),
      typeOnly: false,
    })),
  ];
}

/** Every TypeScript file of the repository with its imports. */
export const sources: readonly Source[] = files
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readText(path);
    return { path, text, lines: text.split('\n').length - 1, imports: importsOf(text, path) };
  });
