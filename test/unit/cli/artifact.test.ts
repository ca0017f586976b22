import { lstat, mkdir, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArtifact } from '../../../agent/artifact/read.ts';
import { digestHex } from '../../../agent/store/digest.ts';
import type { SnapshotStore } from '../../../agent/store/store.ts';
import { publishInto, somePages } from '../../support/one-artifact.ts';
import { runCliInProcess } from '../../support/run-cli.ts';

const { signal } = new AbortController();
const key = { namespace: 'default', contentUID: 'c0ffee' };

type Ran = { readonly code: number; readonly output: Buffer; readonly errors: string };

/** Runs the command line with nothing but what it is given, on a day of January 2026. */
async function cryopod(
  words: readonly string[],
  given: Parameters<typeof runCliInProcess>[1] = {},
): Promise<Ran> {
  const now = () => Date.parse('2026-01-03T00:00:00Z');
  const { complaints, ...ran } = await runCliInProcess(words, { signal, now, ...given });
  return { ...ran, errors: complaints };
}

describe('cryopod artifact', () => {
  let base: string;
  let root: string;
  let store: SnapshotStore;
  let digest: string;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'cli-'));
    ({ store, root, digest } = await publishInto(base, key, somePages()));
    await publishInto(base, { namespace: 'other', contentUID: 'second' }, new Uint8Array(10));
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const on = (directory: string, command: string, ...words: readonly string[]): Promise<Ran> =>
    cryopod(['artifact', command, '--store', directory, ...words]);
  const json = ({ output }: Ran): unknown => JSON.parse(output.toString());

  it('lists snapshots with digest, sizes and age', async () => {
    const { code, output } = await on(root, 'list');
    expect(code).toBe(0);
    const [heading = '', first = ''] = output.toString().split('\n');
    expect(heading).toMatch(/^NAMESPACE +CONTENT UID +SNAPSHOT +DIGEST +SIZE +STORED +AGE$/);
    expect(first).toMatch(
      new RegExp(`^default +c0ffee +default/snap +${digest.slice(0, 19)} +12.0 MiB +4.0 MiB +2d$`),
    );
    expect(json(await on(root, 'list', '-o', 'json', '-n', 'default'))).toEqual([
      expect.objectContaining({ ...key, digest, pod: 'default/pod', containers: ['main'] }),
    ]);
  });

  it('shows what a snapshot holds, and where its bytes go', async () => {
    const facts = json(await on(root, 'show', 'c0ffee', '-o', 'json'));
    const mebibyte = 2 ** 20;
    expect(facts).toMatchObject({
      ...{ ...key, digest, fence: 3 },
      containers: [{ name: 'main', criuVersion: '4.1', volumes: ['dev-shm'] }],
      totals: { zeroBytes: 4 * mebibyte, repeatedBytes: 4 * mebibyte, blobs: 6 },
    });
    const { code, output } = await on(root, 'show', 'default/c0ffee');
    expect(code).toBe(0);
    expect(output.toString()).toMatch(/Zeros: +4.0 MiB, not stored\nRepeated: +4.0 MiB, stored/);
    expect(output.toString()).toMatch(/main +memory +3 +12.0 MiB +4.0 MiB +4.0 MiB +4.0 MiB\n/);
  });

  it('takes the store from the environment, where an agent has it', async () => {
    const environment = { CRYOPOD_STORE_DIRECTORY: root };
    const { code, output } = await cryopod(['artifact', 'verify'], { environment });
    expect([code, output.toString()]).toEqual([
      0,
      expect.stringContaining('default/c0ffee: intact\n'),
    ]);
  });

  it('shows progress only where somebody watches', async () => {
    const words = ['artifact', 'verify', '--store', root, 'c0ffee'];
    expect((await cryopod(words)).errors).toBe('');
    expect((await cryopod(words, { watched: true })).errors).toContain('default/c0ffee: ');
  });

  it('exports to a new file of its owner only, and imports it', async () => {
    const file = join(base, 'export.tar');
    expect((await on(root, 'export', 'c0ffee', file)).code).toBe(0);
    expect((await lstat(file)).mode & 0o777).toBe(0o600);
    expect(await on(root, 'export', 'c0ffee', file)).toMatchObject({
      code: 1,
      errors: expect.stringContaining('EEXIST'),
    });
    const empty = join(base, 'empty');
    await mkdir(empty);
    const imported = await on(empty, 'import', file);
    expect([imported.code, imported.output.toString()]).toEqual([
      0,
      `default/c0ffee: imported, ${digest}\n`,
    ]);
    expect((await on(empty, 'import', file)).output.toString()).toContain('was there already');
    await on(empty, 'import', file, '--as', 'copies/x1');
    expect(json(await on(empty, 'list', '-o', 'json'))).toHaveLength(2);
    expect((await on(empty, 'verify')).code).toBe(0);
  });

  it('exports into a pipe and imports from one', async () => {
    const { output, code } = await on(root, 'export', 'c0ffee', '-');
    expect(code).toBe(0);
    const piped = join(base, 'piped');
    await mkdir(piped);
    const words = ['artifact', 'import', '--store', piped, '-'];
    expect((await cryopod(words, { input: output })).code).toBe(0);
    const cut = await cryopod(words, { input: output.subarray(0, 100_000) });
    expect(cut).toMatchObject({ code: 1, errors: expect.stringContaining('cut off') });
  });

  it('names every damaged blob, goes on with the others, and exports none of it', async () => {
    const broken = join(base, 'broken');
    const copy = await publishInto(broken, key, somePages());
    await publishInto(broken, { ...key, contentUID: 'fine' }, new Uint8Array(10));
    const { manifest } = await readArtifact(copy.store, key, signal);
    const [, first, second] = manifest.layers;
    if (first === undefined || second === undefined) throw new Error('too few layers');
    const pathOf = (blob: typeof first): string =>
      join(copy.root, 'blobs/sha256', digestHex(blob.digest));
    await truncate(pathOf(first), 5);
    await rm(pathOf(second));
    const verified = await on(copy.root, 'verify');
    expect(verified.code).toBe(1);
    const lines = verified.output.toString();
    expect(lines).toContain(`blob ${first.digest} is damaged: 5 bytes instead of ${first.size}`);
    expect(lines).toContain(`blob ${second.digest} is damaged: it is missing`);
    expect(lines).toContain('default/fine');
    const file = join(base, 'broken.tar');
    expect((await on(copy.root, 'export', 'c0ffee', file)).code).toBe(1);
    expect(await readdir(base)).not.toContain('broken.tar');

    await writeFile(join(copy.root, 'snapshots/default/c0ffee.json'), '{');
    const listed = await on(copy.root, 'list');
    expect([listed.code, listed.output.toString()]).toEqual([
      1,
      expect.stringMatching(/c0ffee +DAMAGED/),
    ]);
    expect(listed.errors).toContain('default/c0ffee: ');
    const swept = await on(copy.root, 'sweep', '--delete', '--grace', '0s');
    expect(swept).toMatchObject({ code: 1, errors: expect.stringContaining('cannot be read') });
  });

  it('sweeps only when told to delete', async () => {
    const swept = join(base, 'swept');
    const { root: directory, store: full } = await publishInto(swept, key, somePages());
    await full.deleteReference(key, async () => undefined, signal);
    const blobs = await readdir(join(directory, 'blobs/sha256'));
    const old = ['--grace', '0s'];
    // The clock of this test stands long before the files were written.
    expect(json(await on(directory, 'sweep', ...old, '-o', 'json'))).toMatchObject({
      garbage: { count: 0 },
      inGrace: { count: blobs.length },
    });
    for (const name of blobs) await utimes(join(directory, 'blobs/sha256', name), 1000, 1000);
    const dry = await on(directory, 'sweep');
    expect([dry.code, dry.output.toString()]).toEqual([0, expect.stringContaining('a dry run')]);
    expect(await readdir(join(directory, 'blobs/sha256'))).toEqual(blobs);
    const wet = await on(directory, 'sweep', '--delete');
    expect([wet.code, wet.output.toString()]).toEqual([0, expect.stringContaining('Deleted; 4.0')]);
    expect(await readdir(join(directory, 'blobs/sha256'))).toEqual([]);
  });

  it('refuses a directory that is no store, and touches nothing there', async () => {
    const home = join(base, 'home');
    await mkdir(join(home, 'tmp'), { recursive: true });
    await writeFile(join(home, 'letter.txt'), 'dear');
    for (const words of [['list'], ['sweep', '--delete'], ['verify']]) {
      const [command = '', ...rest] = words;
      const ran = await on(home, command, ...rest);
      expect(ran).toMatchObject({
        code: 1,
        errors: expect.stringContaining('no store of Cryopod'),
      });
    }
    expect((await on(join(base, 'nowhere'), 'list')).code).toBe(1);
    expect((await readdir(home)).toSorted()).toEqual(['letter.txt', 'tmp']);
  });

  it('ends with 2 when it is called wrongly, and with 0 when asked for help', async () => {
    const wrong: readonly (readonly string[])[] = [
      [],
      ['artifact'],
      ['artifact', 'list'],
      ['artifact', 'show', '--store', root],
      ['artifact', 'list', '--store', root, '-o', 'yaml'],
      ['artifact', 'sweep', '--store', root, '--grace', 'soon'],
      ['artifact', 'import', '--store', root, 'x.tar', '--as', '../x'],
      ['artefact'],
    ];
    for (const words of wrong) expect((await cryopod(words)).code, words.join(' ')).toBe(2);
    for (const words of [['--help'], ['artifact', '--help'], ['artifact', 'sweep', '--help']]) {
      expect((await cryopod(words)).code, words.join(' ')).toBe(0);
    }
  });

  it('says which snapshot it does not know, or cannot tell from another', async () => {
    expect(await on(root, 'show', 'nobody')).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no snapshot "nobody"'),
    });
    await store.putReference(
      { ...key, namespace: 'twin' },
      { digest: `sha256:${'0'.repeat(64)}`, size: 1, mediaType: 'x', fence: 0 },
      signal,
    );
    expect((await on(root, 'show', 'c0ffee')).errors).toContain('default/c0ffee, twin/c0ffee');
    await store.deleteReference({ ...key, namespace: 'twin' }, async () => undefined, signal);
  });
});
