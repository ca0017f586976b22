import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchFile } from '../../../../agent/restore/watch-file.ts';

let base: string;
let end: () => void;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'watch-'));
});
afterEach(() => {
  end();
  rmSync(base, { recursive: true });
});

/** Begins to watch for a/b/there. */
function watching(): () => boolean {
  let seen = 0;
  end = watchFile({ base, below: ['a', 'b'] }, 'there', () => {
    seen += 1;
  });
  return () => {
    expect(seen).toBeLessThan(2);
    return seen === 1;
  };
}
const soon = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5000, interval: 5 });
/** Long enough for what has been done to be told, if it is told at all. */
const turns = async (): Promise<void> => {
  const marker = mkdtempSync(join(base, 'marker-'));
  let told = false;
  const endMarker = watchFile({ base: marker, below: [] }, 'there', () => {
    told = true;
  });
  writeFileSync(join(marker, 'there'), '');
  await soon(() => told);
  endMarker();
};

test('a file that is there already is seen', async () => {
  mkdirSync(join(base, 'a/b'), { recursive: true });
  writeFileSync(join(base, 'a/b/there'), '');
  await soon(watching());
});

test('a file is seen though its directories come one by one, and later', async () => {
  const seen = watching();
  await turns();
  mkdirSync(join(base, 'a'));
  await turns();
  mkdirSync(join(base, 'a/b'));
  expect(seen()).toBe(false);
  writeFileSync(join(base, 'a/b/other'), '');
  writeFileSync(join(base, 'a/b/there'), '');
  await soon(seen);
});

test('a directory that is a link is not gone through', async () => {
  mkdirSync(join(base, 'elsewhere/b'), { recursive: true });
  writeFileSync(join(base, 'elsewhere/b/there'), '');
  symlinkSync('elsewhere', join(base, 'a'));
  const seen = watching();
  await turns();
  expect(seen()).toBe(false);
});

test('nothing is seen after the end', async () => {
  mkdirSync(join(base, 'a/b'), { recursive: true });
  const seen = watching();
  end();
  writeFileSync(join(base, 'a/b/there'), '');
  await turns();
  expect(seen()).toBe(false);
});
