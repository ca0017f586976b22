import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inputDigest } from '../../bed/images/inputs.ts';
import { productInputs, repositoryRoot } from '../../bed/images/recipes.ts';

describe('the digest of an image’s inputs', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'inputs-'));
    await mkdir(join(root, 'core/api'), { recursive: true });
    await writeFile(join(root, 'core/api/names.ts'), 'one');
    await writeFile(join(root, 'package.json'), '{}');
    await writeFile(join(root, 'notes.md'), 'not an input');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));
  const digest = (extra: readonly string[] = []): Promise<string> =>
    inputDigest(root, ['package.json', 'core', 'cli'], extra);

  it('is the same for the same content', async () => {
    expect(await digest()).toBe(await digest());
    expect(await digest()).toMatch(/^[0-9a-f]{16}$/);
  });

  it('changes with a nested file, with a new folder and with what else decides', async () => {
    const seen = [await digest(), await digest(['base 2'])];
    await writeFile(join(root, 'core/api/names.ts'), 'two');
    seen.push(await digest());
    await mkdir(join(root, 'cli'));
    await writeFile(join(root, 'cli/main.ts'), '');
    seen.push(await digest());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('does not change with a file that is no input', async () => {
    const before = await digest();
    await writeFile(join(root, 'notes.md'), 'changed');
    expect(await digest()).toBe(before);
  });
});

it('.dockerignore lets in exactly the inputs that are digested', async () => {
  const text = await readFile(join(repositoryRoot, '.dockerignore'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines).toEqual(['*', ...productInputs.map((input) => `!${input}`)]);
});
