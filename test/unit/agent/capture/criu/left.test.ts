import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLeft } from '../../../../../agent/capture/criu/left.ts';
import { identify } from '../../../../../agent/proc/process-table.ts';

describe('what a capture left that no journal knows', () => {
  let base: string;
  let staging: string;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'cryopod-left-'));
    staging = join(base, 'staging/uid-1-1');
    mkdirSync(staging, { recursive: true });
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  });

  const start = async (...words: readonly string[]): Promise<number> => {
    const child = spawn('/bin/sh', ['-c', 'read -r word', ...words]);
    children.push(child);
    await new Promise((resolve) => child.once('spawn', resolve));
    return child.pid ?? 0;
  };
  /** A hierarchy as cgroup v2 shows it, with one cgroup of CRIU's. */
  const cgroupWith = (name: string, ...pids: readonly number[]): string => {
    const root = join(base, 'cgroup');
    const directory = join(root, 'cryopod', `criu-${name}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(root, 'cgroup.procs'), '');
    writeFileSync(join(directory, 'cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
    return root;
  };

  it('is found by cgroup, by command line and by the note of the source', async () => {
    const inside = await start('in the cgroup');
    const named = await start('criu', '--images-dir', `${staging}/criu`);
    const source = await identify('/proc', process.pid);
    writeFileSync(join(staging, 'sources.json'), JSON.stringify([source]));
    const cgroupRoot = cgroupWith('uid-1-1', inside);
    const [left] = await findLeft({ procRoot: '/proc', cgroupRoot }, [staging]);
    expect(left?.stagingDirectory).toBe(staging);
    expect(left?.processes.map(({ criu, source: of }) => [criu?.pid, of])).toEqual([
      [inside, undefined],
      [named, undefined],
      [undefined, source],
    ]);
  });

  it('is nothing that belongs to another directory, or has ended', async () => {
    const other = await start('criu', '--images-dir', `${staging}0/criu`);
    const cgroupRoot = cgroupWith('uid-1-10', other, 2 ** 22 + 1);
    writeFileSync(join(staging, 'sources.json'), '[{"pid": 1, "sta');
    const left = await findLeft({ procRoot: '/proc', cgroupRoot }, [staging]);
    expect(left).toEqual([{ stagingDirectory: staging, processes: [] }]);
  });

  it('is not looked for where there is no directory', async () => {
    expect(await findLeft({ procRoot: '/nowhere', cgroupRoot: '/nowhere' }, [])).toEqual([]);
  });
});
