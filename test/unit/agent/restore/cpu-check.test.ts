import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cpuCheck } from '../../../../agent/restore/criu/cpu-check.ts';

const signal = AbortSignal.timeout(10_000);
let base: string;
let criu: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'cpu-'));
  criu = join(base, 'criu');
  // Notes that it was asked, and answers by what the image says.
  const script = `#!/bin/sh
for last; do :; done
echo "$*" >> ${base}/asked
case "$(cat "$last/cpuinfo.img")" in
  new) echo 'Error (criu/arch/x86/cpu.c:223): cpu: CPU instruction capabilities do not match run time' >&2; exit 1;;
  odd) exit 3;;
esac`;
  writeFileSync(criu, script);
  chmodSync(criu, 0o755);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function images(name: string, cpu: string | undefined): string {
  const directory = join(base, name);
  mkdirSync(directory);
  if (cpu !== undefined) writeFileSync(join(directory, 'cpuinfo.img'), cpu);
  return directory;
}

it('a CPU that lacks something is told in the words of CRIU, which is asked once for each sort', async () => {
  const check = cpuCheck(criu);
  for (const name of ['a', 'b']) {
    expect(await check(images(name, 'new'), signal)).toMatch(/capabilities do not match run time$/);
    expect(await check(images(`${name}-old`, 'old'), signal)).toBeUndefined();
  }
  const asked = readFileSync(join(base, 'asked'), 'utf8').trim().split('\n');
  expect(asked).toEqual([
    `cpuinfo check --no-default-config --images-dir ${base}/a`,
    `cpuinfo check --no-default-config --images-dir ${base}/a-old`,
  ]);
});

it('what cannot be compared is not known', async () => {
  expect(await cpuCheck(criu)(images('none', undefined), signal)).toBeUndefined();
  expect(await cpuCheck(criu)(images('odd', 'odd'), signal)).toBeUndefined();
  expect(await cpuCheck(join(base, 'absent'))(images('new', 'new'), signal)).toBeUndefined();
});
