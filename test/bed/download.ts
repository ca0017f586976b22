import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** How long a host may take to answer at all; one that is out of reach must not hold up the cascade. */
const answerMs = 4_000;
const transferMs = 10 * 60_000;

/** Fetches the published SHA-256 of a file. Rejects within seconds when the host is out of reach. */
export async function publishedSum(address: string): Promise<string> {
  const response = await fetch(`${address}.sha256`, { signal: AbortSignal.timeout(answerMs) });
  const sum = (await response.text()).trim().split(/\s+/)[0] ?? '';
  if (!response.ok || !/^[0-9a-f]{64}$/.test(sum)) {
    throw new Error(`${address}.sha256 answered ${response.status} and no checksum`);
  }
  return sum;
}

/** Downloads a program to `path` and makes it executable; throws when its bytes are not those of `sum`. */
export async function downloadProgram(address: string, sum: string, path: string): Promise<void> {
  const response = await fetch(address, { signal: AbortSignal.timeout(transferMs) });
  if (!response.ok || response.body === null) {
    throw new Error(`${address} answered ${response.status}`);
  }
  const hash = createHash('sha256');
  await pipeline(
    Readable.fromWeb(response.body),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(path),
  );
  const found = hash.digest('hex');
  if (found !== sum) {
    await rm(path, { force: true });
    throw new Error(`${address} has SHA-256 ${found}, but ${sum} is published`);
  }
  await chmod(path, 0o755);
}
