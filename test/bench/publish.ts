import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { publishArtifact } from '../../agent/artifact/publish.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { makeDump, someFacts } from '../support/fake-dump.ts';

/*
 * Throughput of a publish into a directory store against what the same machine does with the same bytes in the same minute.
 * --directory: where to work (a real disk); --mebibytes; --content: random | text | zeros.
 */
const { values } = parseArgs({
  options: {
    directory: { type: 'string', default: tmpdir() },
    mebibytes: { type: 'string', default: '1024' },
    content: { type: 'string', default: 'random' },
  },
});
const mebibytes = Number(values.mebibytes);
const signal = new AbortController().signal;

const text = Buffer.alloc(2 ** 20);
for (let at = 0; at < text.byteLength; at += 64) {
  text.write(`{"id":${Math.floor(Math.random() * 1e9)},"name":"somebody","tags":["a","b"]}`, at);
}

function fill(piece: Buffer): Buffer {
  if (values.content === 'zeros') return piece.fill(0);
  if (values.content === 'random') return randomFillSync(piece);
  text.copy(piece);
  for (let at = 0; at < piece.byteLength; at += 4096) randomFillSync(piece, at, 64);
  return piece;
}

async function writePages(path: string): Promise<void> {
  await using file = await open(path, 'w');
  const piece = Buffer.alloc(2 ** 20);
  for (let count = 0; count < mebibytes; count += 1) await file.writeFile(fill(piece));
}

const mebibytesUsed = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

async function timed(what: string, work: () => Promise<unknown> | unknown): Promise<void> {
  const before = performance.now();
  const processor = process.cpuUsage();
  await work();
  const seconds = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(processor);
  const busy = ((user + system) / 1e6).toFixed(1);
  const rate = (mebibytes / seconds).toFixed(0).padStart(5);
  console.log(
    `${what.padEnd(24)} ${seconds.toFixed(2).padStart(6)} s ${rate} MiB/s   own CPU ${busy} s`,
  );
}

const base = await mkdtemp(join(values.directory, 'bench-publish-'));
try {
  const staging = join(base, 'staging');
  const dump = await makeDump(staging, {});
  const pages = join(staging, 'images/pages-1.img');
  await writePages(pages);
  execFileSync('sync', ['-f', pages]);
  const store = dirStore(join(base, 'store'));
  await mkdir(join(base, 'store'));
  const key = { namespace: 'bench', contentUID: 'bench' };
  const publish = () =>
    publishArtifact({
      store,
      dump,
      stagingDirectory: staging,
      facts: someFacts,
      key,
      fence: 0,
      beforeReference: async () => undefined,
      onProgress: () => undefined,
      signal,
    });
  console.log(`${mebibytes} MiB of ${values.content}, in the page cache`);
  await timed('sha256sum', () => execFileSync('sha256sum', [pages]));
  await timed('cp + sync -f', () => {
    execFileSync('cp', [pages, join(base, 'copy')]);
    execFileSync('sync', ['-f', join(base, 'copy')]);
  });
  await rm(join(base, 'copy'));
  console.log(`  greatest resident set before: ${mebibytesUsed()} MiB`);
  await timed('publish', publish);
  console.log(`  greatest resident set after: ${mebibytesUsed()} MiB`);
  await timed('publish, all stored', publish);
  await timed('extract', () => extractArtifact(store, key, join(base, 'out'), signal));
} finally {
  await rm(base, { recursive: true, force: true });
}
