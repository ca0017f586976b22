import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * First 16 hexadecimal digits of a SHA-256 over the paths and contents of all files at or below `inputs` in `root`, and over `extra`. An input
 * that does not exist counts as absent: a folder may still be to come.
 */
export async function inputDigest(
  root: string,
  inputs: readonly string[],
  extra: readonly string[],
): Promise<string> {
  const files = (await Promise.all(inputs.map((input) => filesBelow(root, input)))).flat();
  const hash = createHash('sha256');
  for (const text of extra) field(hash, text);
  for (const file of [...new Set(files)].sort()) {
    field(hash, file);
    field(hash, await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Length first, or two different lists of fields could hash alike. */
function field(hash: ReturnType<typeof createHash>, value: string | Uint8Array): void {
  hash.update(`${value.length}:`).update(value);
}

async function filesBelow(root: string, input: string): Promise<readonly string[]> {
  let entries: Awaited<ReturnType<typeof list>>;
  try {
    entries = await list(join(root, input));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOTDIR') return [input];
    if (code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(input, entry.parentPath.slice(join(root, input).length), entry.name));
}

const list = (path: string) => readdir(path, { recursive: true, withFileTypes: true });
