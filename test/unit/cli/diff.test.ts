import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliRun, runCliInProcess } from '../../support/run-cli.ts';
import { madeUpImages, publishImages, someRoot } from './support/made-up-images.ts';

describe('cryopod diff', () => {
  let base: string;
  let root: string;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'diff-'));
    await mkdir(join(base, 'store'));
    root = await publishImages(base, 'one', madeUpImages(someRoot), { log: 'a', gone: 'b' });
    const environment = [...someRoot.environment.slice(1, 2), 'API_KEY=other', 'NEW=1'].slice(1);
    await publishImages(
      base,
      'two',
      madeUpImages({ ...someRoot, words: ['python3', '/other.py'], environment, heapByte: 8 }),
      { log: 'ab', new: 'c' },
    );
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const diff = (...words: readonly string[]): Promise<CliRun> =>
    runCliInProcess(['diff', ...words, '--store', root]);

  it('ends with 0 and says so where a snapshot is compared with itself', async () => {
    const { code, printed } = await diff('one', 'snapshot-one');
    expect({ code, printed }).toEqual({
      code: 0,
      printed: 'default/one and default/one are the same.\n',
    });
  });

  it('ends with 1 and tells facts, processes, memory and files that differ', async () => {
    const { code, printed } = await diff('one', 'two', '-o', 'json');
    expect(code).toBe(1);
    const found = JSON.parse(printed);
    expect(found.same).toBe(false);
    expect(found.facts).toEqual([
      { fact: 'main: variable PATH', before: 'set', after: '' },
      { fact: 'main: variable API_KEY', before: 'set', after: 'set otherwise' },
      { fact: 'main: variable DATABASE_URL', before: 'set', after: '' },
      { fact: 'main: variable NEW', before: '', after: 'set' },
    ]);
    const [{ processes, memory, files }] = found.containers;
    expect(processes).toEqual([
      { pid: 1, change: 'changed', command: 'python3', what: ['arguments'] },
    ]);
    expect(memory).toMatchObject({
      ...{ same: false, beforeBytes: 12_288, afterBytes: 12_288 },
      ...{ sharedBytes: 0, changedBytes: 12_288 },
    });
    const changes = files.filter(({ path }: { path: string }) => path !== 'file');
    expect(changes).toMatchObject([
      { path: 'gone', change: 'removed', type: 'file', beforeBytes: 1 },
      { path: 'log', change: 'changed', beforeBytes: 1, afterBytes: 2 },
      { path: 'new', change: 'added', type: 'file', afterBytes: 1 },
    ]);
    expect(changes[1].what).toContain('content');
  });

  it('tells no value of a variable or an argument', async () => {
    const { printed } = await diff('one', 'two');
    expect(printed).toMatch(/^main: variable API_KEY +set +set otherwise$/m);
    expect(printed).toMatch(/^main +1 +changed +python3 +arguments$/m);
    expect(printed).toMatch(/^container main +removed +file +1 B +- +gone$/m);
    expect(printed).not.toMatch(/abc123|other\.py|hunter2/);
  });

  it('sees a process that came, and memory that is shared', async () => {
    const images = madeUpImages(someRoot);
    const { 'core-9.img': gone = Buffer.alloc(0), ...rest } = images;
    const changed = Buffer.from(gone.toString('latin1').replace('sh', 'ls'), 'latin1');
    await publishImages(base, 'three', { ...rest, 'core-9.img': changed });
    const { printed } = await diff('one', 'three', '-o', 'json');
    const [{ processes, memory }] = JSON.parse(printed).containers;
    expect(processes).toEqual([
      { pid: 9, change: 'went', command: 'sh' },
      { pid: 9, change: 'came', command: 'ls' },
    ]);
    expect(memory).toMatchObject({ same: true, sharedBytes: 12_288, changedBytes: 0 });
  });

  it('ends with 2 where one is damaged, with 3 where one is not there', async () => {
    await publishImages(base, 'damaged', {
      ...madeUpImages(someRoot),
      'pstree.img': Buffer.from('x'),
    });
    const damaged = await diff('one', 'damaged');
    expect(damaged).toMatchObject({ code: 2, printed: '' });
    expect(damaged.complaints).toContain('pstree.img is damaged');
    expect((await diff('one', 'nowhere')).code).toBe(3);
  });
});
