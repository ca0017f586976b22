import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { extractArtifact } from '../../agent/artifact/extract.ts';
import { publishArtifact } from '../../agent/artifact/publish.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { makeDump, someFacts } from '../support/fake-dump.ts';
import type { Register } from './main.ts';
import { wholeNumber } from './numbers.ts';
import { familyProcessorSeconds } from './proc-usage.ts';
import { type BenchResult, shown } from './report.ts';

const { signal } = new AbortController();
const key = { namespace: 'bench', contentUID: 'bench' };

/** What the memory of the made-up dump holds. */
export type PagesContent = 'random' | 'text' | 'zeros';

export type PublishOptions = {
  /** Where to work: a real disk. */
  readonly directory: string;
  readonly mebibytes: number;
  readonly content: PagesContent;
};

type Step = { readonly what: string; readonly seconds: number; readonly processorSeconds: number };

/** Fills pieces of 1 MiB, none equal to another but for zeros. */
function filler(content: PagesContent): (piece: Buffer) => Buffer {
  if (content === 'zeros') return (piece) => piece.fill(0);
  if (content === 'random') return (piece) => randomFillSync(piece);
  const text = Buffer.alloc(2 ** 20);
  for (let at = 0; at < text.byteLength; at += 64) {
    text.write(`{"id":${Math.floor(Math.random() * 1e9)},"name":"somebody","tags":["a","b"]}`, at);
  }
  return (piece) => {
    text.copy(piece);
    for (let at = 0; at < piece.byteLength; at += 4096) randomFillSync(piece, at, 64);
    return piece;
  };
}

async function writePages(path: string, { mebibytes, content }: PublishOptions): Promise<void> {
  await using file = await open(path, 'w');
  const piece = Buffer.alloc(2 ** 20);
  const fill = filler(content);
  for (let count = 0; count < mebibytes; count += 1) await file.writeFile(fill(piece));
}

const peakMebibytes = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

async function timed(what: string, work: () => Promise<unknown> | unknown): Promise<Step> {
  const before = performance.now();
  const processorBefore = familyProcessorSeconds();
  await work();
  const seconds = (performance.now() - before) / 1000;
  return { what, seconds, processorSeconds: familyProcessorSeconds() - processorBefore };
}

/** A publish into a directory store beside what the same machine does with the same bytes in the same minute. */
export async function runPublish(options: PublishOptions): Promise<BenchResult> {
  const base = await mkdtemp(join(options.directory, 'bench-publish-'));
  try {
    const staging = join(base, 'staging');
    const dump = await makeDump(staging, {});
    const pages = join(staging, 'images/pages-1.img');
    await writePages(pages, options);
    execFileSync('sync', ['-f', pages]);
    const store = dirStore(join(base, 'store'));
    await mkdir(join(base, 'store'));
    const shared = { store, dump, stagingDirectory: staging, facts: someFacts, key, fence: 0 };
    const publish = () =>
      publishArtifact({
        ...shared,
        beforeReference: async () => undefined,
        onProgress: () => undefined,
        signal,
      });
    const steps = [
      await timed('sha256sum', () => execFileSync('sha256sum', [pages])),
      await timed('cp + sync -f', () => {
        execFileSync('cp', [pages, join(base, 'copy')]);
        execFileSync('sync', ['-f', join(base, 'copy')]);
      }),
    ];
    await rm(join(base, 'copy'));
    const peakBefore = peakMebibytes();
    steps.push(await timed('publish', publish));
    const peakAfter = peakMebibytes();
    steps.push(await timed('publish, all stored', publish));
    steps.push(
      await timed('extract', () => extractArtifact(store, key, join(base, 'out'), signal)),
    );
    return resultOf(options, steps, [peakBefore, peakAfter]);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

function resultOf(
  options: PublishOptions,
  steps: readonly Step[],
  [peakBefore, peakAfter]: readonly [number, number],
): BenchResult {
  const { mebibytes, content } = options;
  return {
    name: 'publish',
    goals: [],
    tables: [
      {
        title: `${mebibytes} MiB of ${content}, in the page cache`,
        heading: ['WHAT', 'SECONDS', 'MiB/s', 'CPU SECONDS'],
        rows: steps.map(({ what, seconds, processorSeconds }) => [
          what,
          shown(seconds),
          shown(mebibytes / seconds),
          shown(processorSeconds),
        ]),
      },
    ],
    notes: [`Greatest resident set: ${peakBefore} MiB before, ${peakAfter} MiB after the publish.`],
    data: { options, steps, peakBefore, peakAfter },
  };
}

/** `npm run bench -- publish`. */
export function registerPublish(register: Register): void {
  const command = new Command('publish')
    .description('Storing one made-up dump in a directory, beside sha256sum and cp; no cluster')
    .option('--directory <path>', 'where to work: a real disk', tmpdir())
    .option('--mebibytes <count>', 'memory of the dump', wholeNumber, 1024)
    .addOption(
      new Option('--content <kind>', 'what it holds')
        .choices(['random', 'text', 'zeros'])
        .default('random'),
    );
  register(command, runPublish);
}
