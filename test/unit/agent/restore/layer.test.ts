import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLayer } from '../../../../agent/restore/criu/files.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'layer-'));
  mkdirSync(join(base, 'root'), { mode: 0o755 });
});
afterEach(() => rmSync(base, { recursive: true }));

/** The layer of what is in `root` by now, beside a root of the mode 755. */
function read() {
  const root = join(base, 'root');
  const layer = join(base, 'rootfs.tar');
  execFileSync('tar', ['--format=pax', '--numeric-owner', '-C', root, '-cf', layer, '.']);
  const { uid, gid } = statSync(root);
  return readLayer(layer, join(base, 'deletions'), { mode: 0o40755, uid, gid });
}

test('a layer of nothing but the root directory as it is changes nothing', async () => {
  expect(await read()).toEqual({ deletions: 0, changes: false });
});

test('a root directory with another mode is a change', async () => {
  chmodSync(join(base, 'root'), 0o700);
  expect(await read()).toEqual({ deletions: 0, changes: true });
});

test('a file is a change', async () => {
  writeFileSync(join(base, 'root/new'), '');
  expect(await read()).toEqual({ deletions: 0, changes: true });
});

test('deletions alone are listed, and are nothing to unpack', async () => {
  writeFileSync(join(base, 'root/.wh.old'), '');
  writeFileSync(join(base, 'root/.wh..wh..opq'), '');
  expect(await read()).toEqual({ deletions: 2, changes: false });
  const names = readFileSync(join(base, 'deletions'), 'utf8').split('\0').sort();
  expect(names).toEqual(['', '', 'old']);
});
