import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContainerDump } from '../../../../../agent/capture/criu/container-dump.ts';
import { CriuDump } from '../../../../../agent/capture/criu/dump.ts';
import { launchExitCodes } from '../../../../../agent/capture/criu/hold.ts';
import type { Launched } from '../../../../../agent/capture/criu/launch.ts';
import { namesOf } from '../../../../../agent/capture/criu/staging-names.ts';
import { type Clock, systemClock } from '../../../../../core/clock.ts';
import { Failure } from '../../../../../core/failure.ts';

const signal = new AbortController().signal;
const names = ['first', 'second', 'third'] as const;
const log = (seizedAt: number): string =>
  [
    `(${seizedAt.toFixed(6)}) Stopping`,
    `(${(seizedAt + 0.001).toFixed(6)}) Seized task 1, state 0`,
    `(0.900000) Running post-dump scripts`,
    '',
  ].join('\n');

/** A minute takes half a second on it. */
const hastyClock: Clock = {
  wallMilliseconds: () => systemClock.wallMilliseconds() * 120,
  monotonicMilliseconds: () => systemClock.monotonicMilliseconds() * 120,
  after: (milliseconds, call) => systemClock.after(milliseconds / 120, call),
};

/** A CRIU that does what a test says, and notes what it is told. */
class FakeCriu {
  readonly heard: string[] = [];
  readonly seized = Promise.withResolvers<boolean>();
  readonly held = Promise.withResolvers<boolean>();
  readonly #ended = Promise.withResolvers<{ exitCode: number; signal: undefined }>();

  /** `obeys`: it ends as the word says, as CRIU does at a hold. */
  launched(pid: number, obeys: boolean): Launched {
    return {
      process: { pid, startTicks: 1 },
      begin: () => this.heard.push('begin'),
      seized: this.seized.promise,
      proceed: () => this.heard.push('proceed'),
      wait: () => this.heard.push('wait'),
      held: this.held.promise,
      go: () => {
        this.heard.push('go');
        if (obeys) this.end(0);
      },
      refuse: () => {
        if (!this.heard.includes('refuse')) this.heard.push('refuse');
        if (obeys) this.end(1);
      },
      pages: undefined,
      ended: this.#ended.promise,
    };
  }

  end(exitCode: number): void {
    this.seized.resolve(false);
    this.held.resolve(false);
    this.#ended.resolve({ exitCode, signal: undefined });
  }
}

describe('the dump of several containers', () => {
  let directory = '';
  let cleaned: string[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'criu-dump-'));
    cleaned = [];
    await mkdir(join(directory, 'staging/volumes'), { recursive: true });
    for (const [index, name] of names.entries()) {
      const { images } = namesOf(name);
      await mkdir(join(directory, 'staging', images), { recursive: true });
      await writeFile(join(directory, 'staging', images, 'inventory.img'), '');
      await writeFile(join(directory, 'staging', images, 'dump.log'), log(0.1 * (index + 1)));
      await mkdir(join(directory, 'upper', name), { recursive: true });
      await setState(index, 'S');
    }
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const pidOf = (index: number): number => 4000 + index;
  const setState = async (index: number, state: string): Promise<void> => {
    const task = join(directory, 'proc', String(pidOf(index)), 'task', String(pidOf(index)));
    await mkdir(task, { recursive: true });
    const stat = `${pidOf(index)} (x) ${state} 1 ${'0 '.repeat(17)}7 0\n`;
    for (const at of [task, join(task, '../..')]) {
      await writeFile(join(at, 'stat'), stat);
      // Where a tracer holds it nobody sends it a signal: the pids of this test are somebody else's.
      await writeFile(join(at, 'status'), `Name:\tx\nTracerPid:\t${state === 't' ? 1 : 0}\n`);
    }
  };
  /** The first `count` containers; the one that `stubborn` names ends only when the test says so. */
  const begin = (count: number, stubborn?: number, clock: Clock = systemClock) => {
    const crius = names.slice(0, count).map(() => new FakeCriu());
    const deps = { procRoot: join(directory, 'proc'), clock };
    const stagingDirectory = join(directory, 'staging');
    const containers = crius.map((criu, index) => {
      const name = names[index] ?? '';
      return new ContainerDump(deps, {
        ...{ name, root: { pid: pidOf(index), startTicks: 7 }, stagingDirectory },
        source: {
          ...{ mounts: [], upperDirectory: `/upper/${name}` },
          ...{ networkNamespaceInode: '', stdio: [] },
        },
        ...{ mounts: [], options: [], stoppedBefore: [] },
        launched: criu.launched(5000 + index, index !== stubborn),
        cleanUp: async () => void cleaned.push(name),
      });
    });
    const running = new CriuDump(
      { ...deps, hostRoot: directory, kubeletDirectory: '/kubelet', criuVersion: '4' },
      {
        ...{ stagingDirectory, podUID: 'uid', containers, volumes: [], watched: {} },
        cleanUp: async () => void cleaned.push('all'),
      },
    );
    return { crius, running };
  };
  const heard = (crius: readonly FakeCriu[]) => crius.map((criu) => criu.heard);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('begins only when every container stands still', async () => {
    const { crius, running } = begin(3);
    crius[0]?.seized.resolve(true);
    crius[2]?.seized.resolve(true);
    await settled();
    expect(heard(crius)).toEqual([[], [], []]);
    crius[1]?.seized.resolve(true);
    await settled();
    expect(heard(crius)).toEqual([['proceed'], ['proceed'], ['proceed']]);
    await running.abort(new Failure('terminal', 'Cancelled', 'enough'));
  });

  it('of a single one waits for nobody', async () => {
    const { crius, running } = begin(1);
    crius[0]?.held.resolve(true);
    await running.held();
    await running.release(signal);
    expect(heard(crius)).toEqual([['go']]);
  });

  it('tells the holds again and again that it is still at work, until they are told the end', async () => {
    const { crius, running } = begin(2, undefined, hastyClock);
    for (const criu of crius) criu.seized.resolve(true);
    crius[0]?.held.resolve(true);
    await expect.poll(() => crius[0]?.heard.slice(0, 3)).toEqual(['proceed', 'wait', 'wait']);
    crius[1]?.held.resolve(true);
    await running.release(signal);
    for (const criu of crius) expect(criu.heard.at(-1)).toBe('go');
  });

  it('packs the files only when all are held, then lets all go, and lasts from the first stop to the last thaw', async () => {
    const { crius, running } = begin(3);
    const released = running.release(signal);
    for (const criu of crius.slice(1)) criu.held.resolve(true);
    await settled();
    expect(await readdir(join(directory, 'staging/containers/second'))).toEqual(['criu']);
    crius[0]?.held.resolve(true);
    const result = await released;
    expect(heard(crius)).toEqual([['go'], ['go'], ['go']]);
    expect(result.containers.map(({ name }) => name)).toEqual(names);
    expect(await readdir(join(directory, 'staging/containers/second'))).toEqual([
      'criu',
      'rootfs.tar',
    ]);
    const freezes = result.containers.map(({ freezeMilliseconds }) => freezeMilliseconds);
    // The first was stopped 800 ms before its hold, the others later.
    expect(result.freezeMilliseconds).toBeGreaterThanOrEqual(Math.max(...freezes) - 1);
    expect(freezes[0]).toBeGreaterThanOrEqual(800);
    expect(cleaned.sort()).toEqual(['all', 'first', 'second', 'third']);
  });

  it('fails with the one that fails, and undoes the others wherever they are', async () => {
    const { crius, running } = begin(3);
    crius[0]?.held.resolve(true);
    await writeFile(
      join(directory, 'staging/containers/second/criu/dump.log'),
      '(0.1) Error (x.c:1): no\n',
    );
    crius[1]?.end(1);
    await expect(running.held()).rejects.toMatchObject({
      reason: 'CheckpointFailed',
      message:
        'container second: the dump failed (criu exited with 1); the source runs: Error (x.c:1): no',
    });
    expect(heard([crius[0], crius[2]].filter((criu) => criu !== undefined))).toEqual([
      ['refuse'],
      ['refuse'],
    ]);
    expect(cleaned.sort()).toEqual(['all', 'first', 'second', 'third']);
  });

  it('is no dump when one fails at its very end', async () => {
    const { crius, running } = begin(2, 1);
    for (const criu of crius) criu.held.resolve(true);
    const released = running.release(signal);
    const failed = expect(released).rejects.toThrow(
      /container second: the dump failed at its end .*; the source runs/,
    );
    while (!crius[1]?.heard.includes('go')) await settled();
    crius[1]?.end(1);
    await failed;
  });

  it('touches nothing when every container is locked by another capture', async () => {
    const { crius, running } = begin(2);
    for (const criu of crius) criu.end(launchExitCodes.locked);
    await expect(running.held()).rejects.toThrow(
      'container first: another capture of this container is going on; the source was not touched',
    );
  });

  it('is ended by an abort, which waits for every one of them', async () => {
    const { crius, running } = begin(2, 1);
    crius[0]?.held.resolve(true);
    let ended = false;
    const why = new Failure('terminal', 'Cancelled', 'enough');
    const aborted = running.abort(why).then(() => {
      ended = true;
    });
    await expect.poll(() => heard(crius)).toEqual([['refuse'], ['refuse']]);
    expect(ended).toBe(false);
    crius[1]?.end(1);
    await aborted;
    await expect(running.held()).rejects.toBe(why);
  });

  it('says which process is still stopped, of whichever container', async () => {
    await setState(1, 't');
    const { crius, running } = begin(2, undefined, hastyClock);
    crius[0]?.held.resolve(true);
    const aborted = running.abort(new Failure('terminal', 'Cancelled', 'enough'));
    await expect(aborted).rejects.toThrow(/the source is still stopped \(pid 4001\)/);
  });
});
